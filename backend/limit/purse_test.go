package limit

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// lender answers a borrower by a script.
type lender struct {
	*Meter
	mu       sync.Mutex
	asked    []string
	returned []string
	answer   func(need, units int64) Answer // nil for silence
	takes    time.Duration
}

func newLender(t *testing.T, answer func(need, units int64) Answer) *lender {
	l := &lender{answer: answer, takes: 5 * time.Millisecond}
	t.Cleanup(func() {
		time.Sleep(time.Second) // whatever is asked is answered
		l.wantFigures(t)
	})
	start := time.Now()
	l.Meter = NewBorrower(l, func() record.Time { return created.Add(record.InSeconds(time.Since(start))) }, func() time.Duration { return 2 * time.Second })
	return l
}

func (l *lender) Ask(role, id string, need, units int64) {
	l.mu.Lock()
	l.asked = append(l.asked, fmt.Sprint(role, id, need, "/", units))
	answer := l.answer
	l.mu.Unlock()
	if answer == nil {
		return
	}
	asked := time.Now()
	go func() {
		time.Sleep(l.takes)
		a := answer(need, units)
		a.Asked = asked
		l.Credit(id, a)
	}()
}

func (l *lender) Return(_, _ string, loan, units int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.returned = append(l.returned, fmt.Sprint(loan, ":", units))
}

func (l *lender) Answers(string) bool { return true }

// wantFigures wants the figures of what is held to be what is held.
func (l *lender) wantFigures(t *testing.T) {
	var loans, units int64
	for i := range l.shards {
		for _, c := range l.shards[i].counters {
			c.mu.Lock()
			loans += int64(len(c.quota.(*purse).loans))
			units += c.quota.(*purse).left
			c.mu.Unlock()
		}
	}
	if l.loans.Load() != loans || l.units.Load() != units {
		t.Errorf("%d blocks of %d units are held, and it tells of %d of %d", loans, units, l.loans.Load(), l.units.Load())
	}
}

func (l *lender) said() (asked, returned []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked), slices.Clone(l.returned)
}

// grants grants so many each time.
func grants(units int64) func(int64, int64) Answer {
	name := int64(0)
	return func(int64, int64) Answer {
		name++
		return Answer{Loan: Loan{Granted: units, Name: name, Ends: created + 1000, Remaining: 500}}
	}
}

func unmet(remaining int64, ends record.Time) func(int64, int64) Answer {
	return func(int64, int64) Answer {
		return Answer{Loan: Loan{Remaining: remaining, Ends: ends}, Unmet: true}
	}
}

func web(l record.Limits) Line { return Line{ID: "a", Role: "web ", Created: created, Limits: l} }

func TestABorrowerWaitsForItsFirstBlockOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, begun := newLender(t, grants(10)), time.Now()
		for i := range int64(10) {
			if v := take(t, l.Meter, 1, created, web(quotaOf(600, 0))); v.Outcome != Allowed || v.Remaining.Quota != 509-i {
				t.Fatalf("it is %+v", v)
			}
		}
		if took := time.Since(begun); took != l.takes {
			t.Errorf("ten of a block took %s", took)
		}
		if asked, _ := l.said(); !slices.Equal(asked, []string{"web a1/1"}) {
			t.Errorf("asked was %q", asked)
		}
	})
}

// A block that is used fast is followed by another before it is at its end.
func TestNobodyWaitsForTheNextBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, line := newLender(t, grants(100)), web(quotaOf(6000, 0))
		take(t, l.Meter, 1, created, line)
		begun := time.Now()
		for range 1000 {
			take(t, l.Meter, 1, created, line)
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("a thousand took %s", took)
		}
		if asked, _ := l.said(); len(asked) > 14 || asked[1] != "web a0/50" {
			t.Errorf("asked was %d times: %q", len(asked), asked)
		}
	})
}

func TestManyWaitForOneQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, line := newLender(t, grants(50)), web(quotaOf(6000, 0))
		var clients sync.WaitGroup
		for range 50 {
			clients.Go(func() { take(t, l.Meter, 1, created, line) })
		}
		clients.Wait()
		if asked, _ := l.said(); asked[0] != "web a1/1" || slices.ContainsFunc(asked[1:], func(s string) bool { return s[:6] != "web a0" }) {
			t.Errorf("asked was %q", asked)
		}
	})
}

func TestSilenceIsNoRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		for name, answer := range map[string]func(int64, int64) Answer{
			"nothing comes":  nil,
			"an error comes": func(int64, int64) Answer { return Answer{Err: away} },
		} {
			l, begun := newLender(t, answer), time.Now()
			v, err := l.Take(t.Context(), []Line{web(quotaOf(10, 0))}, 1, created)
			if err == nil || v != (Verdict{}) || answer != nil && !errors.Is(err, away) || answer == nil && !errors.Is(err, ErrSilent) {
				t.Errorf("where %s it is %+v, %v", name, v, err)
			}
			if time.Since(begun) > 2*time.Second {
				t.Errorf("where %s it takes %s", name, time.Since(begun))
			}
		}
	})
}

func TestARefusalIsTheLendersAndBelievedForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, line := newLender(t, unmet(2, 0)), web(quotaOf(10, 0))
		for range 20 {
			if v := take(t, l.Meter, 3, created, line); v.Outcome != QuotaExceeded || v.Remaining.Quota != 2 {
				t.Fatalf("it is %+v", v)
			}
		}
		l.answer = grants(2)
		if v := take(t, l.Meter, 2, created, line); v.Outcome != Allowed {
			t.Errorf("what remained is %+v", v)
		}
		time.Sleep(believeFor)
		l.answer = grants(5)
		if v := take(t, l.Meter, 3, created, line); v.Outcome != Allowed {
			t.Errorf("later it is %+v", v)
		}
		if asked, _ := l.said(); !slices.Equal(asked, []string{"web a3/3", "web a2/2", "web a3/5"}) {
			t.Errorf("asked was %q", asked)
		}
		if v := take(t, l.Meter, 11, created, line); v.Outcome != QuotaExceeded {
			t.Errorf("more than the quota is %+v", v)
		}
	})
}

// The lender's window may end a moment after this gate thinks that it does: that is
// neither a refusal nor a block of the next window.
func TestAnAnswerOfTheLastWindowIsAskedForAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, answer := range map[string]func(int64, int64) Answer{
			"a refusal": unmet(0, created),
			"a block":   func(int64, int64) Answer { return Answer{Loan: Loan{Granted: 3, Name: 1, Ends: created}} },
		} {
			l, line, late := newLender(t, answer), web(quotaOf(10, 100)), grants(1)
			n := 0
			l.answer = func(need, units int64) Answer {
				if n++; n > 3 {
					return late(need, units)
				}
				return answer(need, units)
			}
			if v := take(t, l.Meter, 1, created, line); v.Outcome != Allowed || n != 4 {
				t.Errorf("%s: after %d answers it is %+v", name, n, v)
			}
		}
	})
}

func TestALoanEndsByTheLendersTimeAndByItsAge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ends record.Time
		pass time.Duration
		back string
		kept bool
	}{
		"its window is over":              {created + 10, 10 * time.Second, "[]", false},
		"the lender's clock stands still": {created + 1e6, lendLife.Std(), "[]", false},
		"it is used too slowly":           {created + 1e6, lendLife.Std() / 2, "[1:9]", false},
		"not yet":                         {created + 10, 9 * time.Second, "[]", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, line := newLender(t, nil), web(quotaOf(600, 0))
			l.answer = func(int64, int64) Answer { return Answer{Loan: Loan{Granted: 10, Name: 1, Ends: tc.ends}} }
			l.takes = 0
			take(t, l.Meter, 1, created, line)
			time.Sleep(tc.pass)
			l.answer = unmet(0, 0)
			v := take(t, l.Meter, 1, min(tc.ends, created.Add(record.InSeconds(tc.pass))), line)
			if _, returned := l.said(); fmt.Sprint(returned) != tc.back || (v.Outcome == Allowed) != tc.kept {
				t.Errorf("%s: it is %+v, and %q went back", name, v, returned)
			}
		})
	}
}

func TestAnotherQuotaVoidsWhatIsHeld(t *testing.T) {
	t.Parallel()
	for _, other := range []record.Limits{quotaOf(599, 0), quotaOf(601, 0), quotaOf(600, 60)} {
		synctest.Test(t, func(t *testing.T) {
			l := newLender(t, grants(10))
			take(t, l.Meter, 1, created, web(quotaOf(600, 0)))
			l.answer = unmet(0, 0)
			if v := take(t, l.Meter, 1, created, web(other)); v.Outcome != QuotaExceeded {
				t.Errorf("under %+v it is %+v", other, v)
			}
			if _, returned := l.said(); !slices.Equal(returned, []string{"1:9"}) {
				t.Errorf("under %+v it gave back %q", other, returned)
			}
		})
	}
}

func TestWhatNobodyUsesGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, line := newLender(t, grants(10)), web(quotaOf(600, 0))
		take(t, l.Meter, 1, created, line)
		time.Sleep(time.Second)
		if err := l.Settle(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if _, returned := l.said(); len(returned) != 0 {
			t.Errorf("too early %q went back", returned)
		}
		time.Sleep(time.Second)
		if err := l.Settle(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if _, returned := l.said(); !slices.Equal(returned, []string{"1:9"}) {
			t.Errorf("%q went back", returned)
		}
		take(t, l.Meter, 4, created, line)
		if err := l.GiveBack(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, returned := l.said(); !slices.Equal(returned, []string{"1:9", "2:6"}) {
			t.Errorf("to who looks for it, %q went back", returned)
		}
	})
}

func TestAChainBorrowsFromAllOrSpendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLender(t, nil)
		root, child := web(quotaOf(600, 0)), web(quotaOf(50, 0))
		root.ID, child.ID = "root", "child"
		name := int64(0)
		l.answer = func(need, _ int64) Answer {
			if name++; name == 2 {
				return Answer{Loan: Loan{}, Unmet: true}
			}
			return Answer{Loan: Loan{Granted: 10, Name: name, Ends: created + 1000}}
		}
		if v := take(t, l.Meter, 1, created, root, child); v.Outcome != QuotaExceeded {
			t.Errorf("it is %+v", v)
		}
		if err := l.Settle(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if asked, returned := l.said(); !slices.Equal(asked, []string{"web root1/1", "web child1/1"}) || !slices.Equal(returned, []string{"1:10"}) {
			t.Errorf("asked was %q, and %q went back", asked, returned)
		}
	})
}
