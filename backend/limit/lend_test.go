package limit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// lend lends and fails the test for an error.
func lend(t *testing.T, m *Meter, line Line, need, units int64, now record.Time) Loan {
	t.Helper()
	l, err := m.Lend(t.Context(), line, need, units, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func takeBack(t *testing.T, m *Meter, id string, name, units int64, now record.Time) {
	t.Helper()
	if err := m.TakeBack(t.Context(), id, name, units, now); err != nil {
		t.Fatal(err)
	}
}

func TestALoanIsABlockOrWhatIsNeeded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ quota, need, units, granted int64 }{
		"a block":                                  {3200, 1, 500, 100},
		"half a block, where one is still held":    {3200, 0, 500, 50},
		"less, where less is wanted":               {3200, 1, 7, 7},
		"what is needed":                           {3200, 1, 0, 1},
		"what is needed, though it is more":        {3200, 200, 500, 200},
		"all that there is":                        {20, 20, 500, 20},
		"the last":                                 {1, 1, 500, 1},
		"nothing, where what is needed is not all": {20, 21, 500, 0},
		"nothing, where nothing is asked for":      {20, 0, 0, 0},
		"no more than a block of the largest":      {record.MaxQuota, 1, 1 << 40, maxBlock},
	} {
		m, line := NewMeter(newDisk()), lineOf("a", quotaOf(tc.quota, 0))
		if l := lend(t, m, line, tc.need, tc.units, created); l.Granted != tc.granted || l.Remaining != tc.quota-tc.granted {
			t.Errorf("%s: it is %+v", name, l)
		}
		if got := spendSome(t, m, created, 100, line); got != min(100, tc.quota-tc.granted) {
			t.Errorf("%s: then there are %d left", name, got)
		}
	}
}

// What one borrower holds and spends is not given back by another who counts on or back
// from the name of its own loan.
func TestNobodyGuessesTheNameOfALoan(t *testing.T) {
	t.Parallel()
	m, line := NewMeter(newDisk()), lineOf("a", quotaOf(320, 0))
	spent, mine := lend(t, m, line, 10, 0, created), lend(t, m, line, 1, 0, created)
	for name := mine.Name - 1000; name < mine.Name+1000; name++ {
		if name != mine.Name {
			takeBack(t, m, "a", name, 10, created)
		}
	}
	if l := lend(t, m, line, 0, 0, created); spent.Granted != 10 || l.Remaining != 309 {
		t.Errorf("then it is %+v", l)
	}
	if mine.Name < 1 || mine.Name > 1<<53 {
		t.Errorf("JSON does not carry %d as it is", mine.Name)
	}
}

func TestALoanIsGivenBackOnceAndToWhoLentIt(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m, line := NewMeter(d), lineOf("a", quotaOf(320, 0))
	l := lend(t, m, line, 1, 10, created)
	takeBack(t, m, "a", l.Name+1, 9, created) // none that there is
	takeBack(t, m, "b", l.Name, 9, created)
	takeBack(t, NewMeter(d), "a", l.Name, 9, created)
	if q := d.quotas["a"]; q.Total != 10 {
		t.Fatalf("what was not lent came back: %+v", q)
	}
	for range 3 {
		takeBack(t, m, "a", l.Name, 9, created)
	}
	if q := d.quotas["a"]; q.Total != 1 {
		t.Errorf("9 of 10 came back: %+v", q)
	}
	l = lend(t, m, line, 1, 10, created)
	takeBack(t, m, "a", l.Name, 1000, created)
	if got := spendAll(t, m, created, line); got != 319 {
		t.Errorf("of 319 there are %d", got)
	}
}

func TestALoanThatHasEndedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]Line{"by its window": lineOf("a", quotaOf(320, 10)), "by its age": lineOf("a", quotaOf(320, 0))} {
		d := newDisk()
		m := NewMeter(d)
		l := lend(t, m, line, 1, 10, created)
		takeBack(t, m, "a", l.Name, 9, l.Ends)
		if q := d.quotas["a"]; q.Total != 10 || l.Ends > created.Add(lendLife) {
			t.Errorf("%s: %+v, which ended at %d", name, q, l.Ends)
		}
	}
}

// What was lent may be spent until it ends, also in windows that a change of the period
// makes: it counts in them, whether the engine that lent it lives or not.
func TestWhatIsOutCountsInEveryWindowThatItCanBeSpentIn(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"in one process": false, "in the next": true} {
		for period, line := range map[string]Line{"for life": lineOf("a", quotaOf(320, 0)), "of a long window": lineOf("a", quotaOf(320, 3600))} {
			d := newDisk()
			m := NewMeter(d)
			l := lend(t, m, line, 10, 0, created+5)
			if restart {
				m = NewMeter(d)
			}
			short := lineOf("a", quotaOf(15, 10))
			if got := spendAll(t, m, created+25, short); got != 5 {
				t.Errorf("%s, %s: while 10 are out, a window of 15 gives %d", name, period, got)
			}
			if got := spendAll(t, m, created+45, short); got > 5 {
				t.Errorf("%s, %s: and the one after the next gives %d", name, period, got)
			}
			start := short.Limits.WindowEnd(created, l.Ends)
			if got := spendAll(t, m, start, short); got != 15 {
				t.Errorf("%s, %s: once they have ended, it gives %d", name, period, got)
			}
		}
	}
}

func TestAWindowGivesWhatCameBackWithinIt(t *testing.T) {
	t.Parallel()
	m, line := NewMeter(newDisk()), lineOf("a", quotaOf(320, 100))
	for window := range record.Time(5) {
		at := created + 100*window
		spent := int64(0)
		for range 20 {
			l := lend(t, m, line, 1, 10, at+10)
			takeBack(t, m, "a", l.Name, l.Granted-1, at+11)
			spent++
			spent += spendSome(t, m, at+12, 3, line)
		}
		if spent += spendAll(t, m, at+99, line); spent != 320 {
			t.Errorf("window %d gives %d", window, spent)
		}
	}
}

func TestTroubleWithALoanOverspendsNothing(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]bool{"and takes effect": true, "and does not": false} {
		d := newDisk()
		m, line := NewMeter(d), lineOf("a", quotaOf(320, 0))
		d.failPut = func(int) (bool, bool) { return effect, true }
		if l, err := m.Lend(t.Context(), line, 1, 10, created); !errors.Is(err, errDisk) || l != (Loan{}) {
			t.Errorf("%s: it is %+v, %v", name, l, err)
		}
		d.failPut = nil
		lost := d.quotas["a"].Total
		l := lend(t, m, line, 1, 10, created)
		d.failPut = func(int) (bool, bool) { return effect, true }
		if err := m.TakeBack(t.Context(), "a", l.Name, l.Granted, created); !errors.Is(err, errDisk) {
			t.Errorf("%s: to give back is %v", name, err)
		}
		d.failPut = nil
		takeBack(t, m, "a", l.Name, l.Granted, created)
		back := int64(0)
		if effect {
			back = l.Granted
		}
		if got := spendAll(t, m, created, line); got != 320-lost-l.Granted+back {
			t.Errorf("%s: then there are %d, of which %d were lost", name, got, lost)
		}
	}
}

func TestWhoMissesUnitsIsHeardOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, line := NewMeter(newDisk()), lineOf("a", quotaOf(10, 0))
		hunted := 0
		m.OnMiss(func(id string) {
			if id != "a" {
				t.Errorf("somebody looks for %s", id)
			}
			hunted++
		})
		spendAll(t, m, created, lineOf("b", quotaOf(1, 0)))
		if lend(t, m, line, 10, 0, created); hunted != 0 {
			t.Errorf("nothing was missed, and %d were told", hunted)
		}
		for range 10 {
			lend(t, m, line, 1, 0, created)
			take(t, m, 1, created, line)
		}
		if hunted != 1 {
			t.Errorf("at once it was told %d times", hunted)
		}
		time.Sleep(huntEvery + 1)
		if take(t, m, 1, created, line); hunted != 2 {
			t.Errorf("a second later it was told %d times", hunted)
		}
		time.Sleep(huntEvery + 1)
		if take(t, m, 1, created.Add(lendLife), line); hunted != 2 {
			t.Error("it is told though nothing is out")
		}
	})
}
