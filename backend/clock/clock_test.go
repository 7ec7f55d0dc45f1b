package clock

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// machine is a wall clock that can be set, beside one that cannot.
type machine struct {
	*Clock
	t     *testing.T
	wrong time.Duration
	slept time.Duration
	heard []string
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t}
	born := time.Now()
	m.Clock = From(func() (time.Time, time.Duration) {
		now := time.Now()
		return now.Add(m.wrong + m.slept), now.Sub(born)
	}, func(c Change) {
		m.heard = append(m.heard, fmt.Sprint([]string{"", "doubted", "resolved", "believed"}[c.Kind], " ", c.By))
	})
	m.asleep, m.Clock.slept = func() time.Duration { return m.slept }, 0
	return m
}

// runs lets this pass, a look each second, and wants the clock to say so.
func (m *machine) runs(for_ time.Duration) {
	m.t.Helper()
	for range for_ / time.Second {
		before := m.nanoseconds()
		time.Sleep(time.Second)
		if passed := time.Duration(m.nanoseconds() - before); passed != time.Second {
			m.t.Fatalf("while a second passed the clock went on by %s", passed)
		}
	}
}

// off is how far the mount's time is ahead of the time that is right.
func (m *machine) off() time.Duration {
	return time.Duration(m.nanoseconds() - time.Now().Add(m.slept).UnixNano())
}

func (m *machine) wantOff(want time.Duration) {
	m.t.Helper()
	if got := m.off(); got != want {
		m.t.Errorf("the clock is ahead by %s, want %s", got, want)
	}
}

func (m *machine) wantHeard(want ...string) {
	m.t.Helper()
	if fmt.Sprint(m.heard) != fmt.Sprint(want) {
		m.t.Errorf("it told %q, want %q", m.heard, want)
	}
	m.heard = nil
}

const years = 10 * 365 * 24 * time.Hour

func TestTheClockGoesWithTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(func(Change) { t.Error("it told of a jump") })
		start := c.Now()
		if start != record.At(time.Now()) || c.Until(start.Add(5)) != 5*time.Second {
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

func TestAWrongClockThatIsSoonRightHasChangedNothing(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, years, -years, 3 * time.Second, -3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t)
			for range 2 {
				m.runs(time.Minute)
				m.wrong = by
				m.runs(Patience - time.Second)
				if m.wantOff(0); m.Settled(0) {
					t.Error("it was not in doubt")
				}
				m.wrong = 0
				m.runs(time.Minute)
				if m.wantOff(0); !m.Settled(record.MaxSeconds) || m.TakenBack() != 0 {
					t.Error("the doubt stayed")
				}
				m.wantHeard("doubted "+by.String(), "resolved "+by.String())
			}
		})
	}
}

func TestAClockThatStaysWhereItJumpedToIsBelieved(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, years, -years} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t)
			m.wrong = by
			m.runs(Patience - time.Second)
			time.Sleep(time.Second)
			m.wantOff(by)
			m.wantHeard("doubted "+by.String(), "believed "+by.String())
			m.runs(Patience)
			if m.Settled(0) != true || m.Settled(3600) != (by < 0) {
				t.Error("after a jump forward an hour has not passed yet, after one back it has")
			}
			m.runs(time.Hour - Patience)
			if !m.Settled(3600) || m.Settled(3602) != (by < 0) {
				t.Error("an hour later it has")
			}
			if back := m.TakenBack(); (back == 1) != (by < 0) {
				t.Errorf("the time went back %d times", back)
			}
		})
	}
}

// Jumps to one place and another are as many doubts.
func TestADoubtBeginsAnewWhereTheClockGoesOnJumping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		for range 4 {
			for _, by := range []time.Duration{time.Hour, 2 * time.Hour, -time.Hour} {
				m.wrong = by
				m.runs(Patience - time.Second)
				m.wantOff(0)
			}
		}
		time.Sleep(time.Second)
		m.wantOff(-time.Hour)
	})
}

func TestASmallCorrectionIsFollowed(t *testing.T) {
	for _, by := range []time.Duration{time.Second, -time.Second, 300 * time.Millisecond, -300 * time.Millisecond, Tolerance, -Tolerance} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t)
			for range 2 {
				m.wrong += by
				last := m.nanoseconds()
				for range 100 {
					time.Sleep(100 * time.Millisecond)
					now := m.nanoseconds()
					if now-last < int64(50*time.Millisecond) {
						t.Fatalf("in a tenth of a second it went on by %s", time.Duration(now-last))
					}
					last = now
				}
				m.wantOff(m.wrong)
				if !m.Settled(record.MaxSeconds) {
					t.Error("it is in doubt")
				}
			}
			m.wantHeard()
		})
	}
}

func TestWhatTheMachineSleptHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		for range 3 {
			m.slept += time.Hour
			m.wantOff(0)
			m.slept += time.Second
			m.wantOff(0)
		}
		m.wantHeard()
		// Awake, the wall clock is wrong besides.
		m.slept += time.Hour
		m.wrong = years
		m.wantOff(0)
		m.wantHeard("doubted " + years.String())
	})
}

func TestWhatWasWrittenUnderAWrongClockIsDatedRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		for range 2 {
			m.runs(time.Minute)
			m.wrong = years
			m.runs(Patience - time.Second)
			time.Sleep(time.Second)
			wrote, at, seen := m.Now(), record.At(time.Now()), m.Elapsed()
			if m.Undone(0, seen) || m.Dated(wrote) != wrote {
				t.Error("a believed clock is called wrong")
			}
			m.runs(time.Hour)
			m.wrong = 0
			m.runs(Patience - time.Second)
			time.Sleep(time.Second)
			m.wantOff(0)
			if got := m.Dated(wrote); got != at {
				t.Errorf("what was written at %s is dated %s", at, got)
			}
			if !m.Undone(0, seen) || m.Undone(0, 0) {
				t.Error("what was seen under the wrong clock counts, or what was seen before does not")
			}
			if !m.Settled(record.MaxSeconds) {
				t.Error("a jump that was taken back unsettles")
			}
			for _, other := range []record.Time{at, m.Now(), m.Now().Add(60), m.Now().Add(3600), wrote.Add(2 * 3600), 0} {
				if got := m.Dated(other); got != other {
					t.Errorf("%s is dated %s", other, got)
				}
			}
			m.runs(time.Minute)
			if m.Undone(seen, seen) {
				t.Error("what began and ended under the wrong clock has not ended")
			}
			if m.Undone(0, m.Elapsed()) {
				t.Error("what is seen now does not count")
			}
		}
	})
}

func TestWhatWasSeenCountsWhereNobodyKnowsWhichClockWasWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.runs(time.Hour)
		wrote, seen := m.Now(), m.Elapsed()
		m.wrong = -time.Hour
		m.runs(Patience - time.Second)
		time.Sleep(time.Second)
		m.wantOff(-time.Hour)
		if m.Undone(0, seen) || m.Dated(wrote) != wrote {
			t.Error("it took the past for wrong")
		}
	})
}

func TestNoWallClockIsTooFarOff(t *testing.T) {
	for _, wall := range []time.Time{{}, time.Unix(0, 0), time.Unix(1<<40, 0), time.Unix(-1<<40, 0)} {
		c := From(func() (time.Time, time.Duration) { return wall, 0 }, func(Change) {})
		if got := c.Now(); got < 0 || got > 1<<33 {
			t.Errorf("at %s it says %d", wall, got)
		}
	}
}

func TestNoReaderSeesTheClockGoBack(t *testing.T) {
	t.Parallel()
	c := New(func(Change) {})
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

func BenchmarkNow(b *testing.B) {
	c := New(func(Change) {})
	for b.Loop() {
		c.Now()
	}
}
