package clock

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestTheClockGoesWithTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		start := c.Now()
		if start != record.At(time.Now()) {
			t.Errorf("the clock says %s at %s", start, time.Now())
		}
		time.Sleep(999 * time.Millisecond)
		if got := c.Now(); got != start {
			t.Errorf("a second passed early: %s", got)
		}
		time.Sleep(time.Millisecond)
		if got := c.Now(); got != start.Add(1) {
			t.Errorf("after a second the clock says %s", got)
		}
	})
}

func TestAClockThatIsSetBackStandsStill(t *testing.T) {
	var c Clock
	today := c.Now()
	// A bubble begins in the year 2000, which is as far back as it gets.
	synctest.Test(t, func(t *testing.T) {
		for range 3 {
			if got := c.Now(); got < today {
				t.Fatalf("the clock went back from %s to %s", today, got)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestNoReaderSeesTheClockGoBack(t *testing.T) {
	t.Parallel()
	var c Clock
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			last := record.Time(0)
			for range 5000 {
				now := c.Now()
				if now < last {
					t.Errorf("went back from %d to %d", last, now)
					return
				}
				last = now
			}
		})
	}
	readers.Wait()
}
