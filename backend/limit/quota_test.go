package limit

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestAQuotaIsSpentToTheLastAndNoFurther(t *testing.T) {
	t.Parallel()
	for _, quota := range []int64{1, 2, 31, 32, 33, 1000, 5000} {
		d := newDisk()
		m, line := NewMeter(d), lineOf("a", quotaOf(quota, 0))
		for left := quota; left > 0; left-- {
			if v := take(t, m, 1, created, line); v.Outcome != Allowed || v.Remaining.Quota != left-1 {
				t.Fatalf("with %d of %d left it is %+v", left, quota, v)
			}
		}
		if v := take(t, m, 1, created, line); v.Outcome != QuotaExceeded || v.RetryAfter != 0 || v.Remaining.Quota != 0 {
			t.Errorf("a spent quota of %d is %+v", quota, v)
		}
		if q := d.quotas["a"]; q.Total != quota {
			t.Errorf("of %d there are %d reserved", quota, q.Total)
		}
		puts, gets := d.puts, d.gets
		for range 100 {
			take(t, m, 1, created, line)
		}
		if d.puts != puts || d.gets != gets {
			t.Errorf("a hundred refusals wrote %d times and read %d times", d.puts-puts, d.gets-gets)
		}
	}
}

func TestTheSizeOfABlock(t *testing.T) {
	t.Parallel()
	for remaining, want := range map[int64]int64{
		0: 1, 1: 1, 31: 1, 32: 1, 63: 1, 64: 2, 3200: 100, 131071: 4095, 131072: 4096, 131073: 4096, record.MaxQuota: 4096,
	} {
		if got := blockSize(remaining); got != want {
			t.Errorf("of %d it is %d, want %d", remaining, got, want)
		}
	}
}

func TestALargeQuotaWritesRarely(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m, line := NewMeter(d), lineOf("a", quotaOf(record.MaxQuota, 0))
	for range 3*maxBlock + 1 {
		take(t, m, 1, created, line)
	}
	if d.puts != 4 {
		t.Errorf("it wrote %d times", d.puts)
	}
	if v := take(t, m, record.MaxQuota/2, created, line); v.Outcome != Allowed {
		t.Errorf("half of it at once is %+v", v)
	}
	if v := take(t, m, 1<<63-1, created, line); v.Outcome != QuotaExceeded || v.RetryAfter != 0 {
		t.Errorf("more than there is is %+v", v)
	}
}

func TestWindowsFollowEachOtherFromTheKeysCreation(t *testing.T) {
	t.Parallel()
	m, line := NewMeter(newDisk()), lineOf("a", quotaOf(3, 100))
	for _, step := range []struct {
		now        record.Time
		fits       int64
		retryAfter record.Seconds
	}{
		{created, 3, 100}, {created + 99, 0, 1}, {created + 100, 3, 100}, {created + 150, 0, 50},
		{created + 199, 0, 1}, {created + 500, 3, 100}, {created + 501, 0, 99},
		{created - 7, 0, 107}, // a clock set back gives nothing
		{created + 600, 3, 100},
	} {
		if got := spendAll(t, m, step.now, line); got != step.fits {
			t.Errorf("at %d it gave %d, want %d", step.now, got, step.fits)
		}
		if v := take(t, m, 1, step.now, line); v.RetryAfter != step.retryAfter {
			t.Errorf("at %d retry after %d, want %d", step.now, v.RetryAfter, step.retryAfter)
		}
		if v := take(t, m, 4, step.now, line); v.Outcome != QuotaExceeded || v.RetryAfter != 0 {
			t.Errorf("at %d a cost that never fits is %+v", step.now, v)
		}
	}
}

func TestAChangedQuotaCountsWhatWasSpent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after record.Limits
		spent, fits   int64
		later         record.Seconds
	}{
		"raised":                           {before: quotaOf(10, 0), after: quotaOf(15, 0), spent: 10, fits: 5},
		"lowered below what was spent":     {before: quotaOf(10, 0), after: quotaOf(4, 0), spent: 6},
		"lowered to what was spent":        {before: quotaOf(10, 0), after: quotaOf(6, 0), spent: 6},
		"lowered above what was spent":     {before: quotaOf(10, 0), after: quotaOf(8, 0), spent: 6, fits: 2},
		"a shorter window, still in it":    {before: quotaOf(10, 1000), after: quotaOf(10, 100), spent: 6, fits: 4},
		"a shorter window, in the next":    {before: quotaOf(10, 1000), after: quotaOf(10, 100), spent: 6, fits: 10, later: 100},
		"a longer window":                  {before: quotaOf(10, 100), after: quotaOf(10, 1000), spent: 6, fits: 4, later: 50},
		"for life instead of for a window": {before: quotaOf(10, 100), after: quotaOf(10, 0), spent: 6, fits: 4, later: 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMeter(newDisk())
			for range tc.spent {
				take(t, m, 1, created, lineOf("a", tc.before))
			}
			if got := spendAll(t, m, created.Add(tc.later), lineOf("a", tc.after)); got != tc.fits {
				t.Errorf("it gave %d", got)
			}
		})
	}
}

func TestTwoNodesThatTakeTurnsSpendNoMoreThanTheQuota(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		quota := 1 + random.Int64N(2000)
		d, line := newDisk(), lineOf("a", quotaOf(quota, 0))
		nodes := []*Meter{NewMeter(d), NewMeter(d)}
		spent := int64(0)
		for refused := 0; refused < 40; {
			node := nodes[random.IntN(2)]
			cost := 1 + random.Int64N(5)
			if take(t, node, cost, created, line).Outcome == Allowed {
				spent += cost
			} else {
				refused++
			}
			if random.IntN(20) == 0 {
				nodes[random.IntN(2)].Forget("a") // as when Vault invalidates
			}
		}
		if spent > quota {
			t.Fatalf("of %d they spent %d", quota, spent)
		}
	}
}

func TestTroubleWithAQuotaIsAnErrorAndSpendsNothing(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m, line := NewMeter(d), lineOf("a", quotaOf(10, 0))
	refuse := func(what string) {
		t.Helper()
		if v, err := m.Take(t.Context(), []Line{line}, 1, created); !errors.Is(err, errDisk) || v != (Verdict{}) {
			t.Errorf("%s it is %+v, %v", what, v, err)
		}
	}
	d.failGet = true
	refuse("without reading")
	if _, err := m.Peek(t.Context(), line, created); !errors.Is(err, errDisk) {
		t.Errorf("a look answers %v", err)
	}
	d.failGet = false
	d.failPut = func(int) (bool, bool) { return false, true }
	refuse("without writing")
	d.failPut = nil
	if got := spendAll(t, m, created, line); got != 10 {
		t.Errorf("after the trouble it gave %d", got)
	}
}

// A write that fails and has no effect when its block was of an earlier window
// must not carry that block into the next.
func TestAFailedWriteCarriesNoBlockIntoTheNextWindow(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m, line := NewMeter(d), lineOf("a", quotaOf(320, 100))
	take(t, m, 5, created, line) // reserves 10
	d.failPut = func(int) (bool, bool) { return false, true }
	if _, err := m.Take(t.Context(), []Line{line}, 6, created); !errors.Is(err, errDisk) {
		t.Fatalf("it answered %v", err)
	}
	d.failPut = nil
	total := int64(0)
	for take(t, m, 5, created+100, line).Outcome == Allowed {
		total += 5
	}
	if total != 320 {
		t.Errorf("the next window gave %d", total)
	}
}

func TestWhatWasReservedIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		effect, fails bool
		left          int64
	}{
		"by a write":                          {true, false, 639},
		"not by a write that fails":           {false, true, 620},
		"by a write that fails and was there": {true, true, 639},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			m, line := NewMeter(d), lineOf("a", quotaOf(640, 0))
			take(t, m, 1, created, line) // reserves 20
			d.failPut = func(int) (bool, bool) { return tc.effect, tc.fails }
			if err := m.Settle(t.Context(), 0); errors.Is(err, errDisk) != tc.fails {
				t.Errorf("it answered %v", err)
			}
			d.failPut = nil
			for range 3 {
				if err := m.Settle(context.Background(), 0); err != nil {
					t.Fatal(err)
				}
			}
			if got := spendAll(t, m, created, line); got != tc.left {
				t.Errorf("then there were %d left, want %d", got, tc.left)
			}
		})
	}
}

// A refusal that corrects what a wrong clock wrote goes by what is stored now, and
// not by what this process knew.
func TestACorrectionUndoesNoReservationOfAnother(t *testing.T) {
	t.Parallel()
	d, ahead := newDisk(), created+3650*day
	first, second := NewMeter(d), NewMeter(d)
	spendAll(t, first, ahead, lineOf("a", quotaOf(10, 0)))
	take(t, second, 5, created+1, lineOf("a", quotaOf(20, 0)))
	take(t, first, 1, created+1, lineOf("a", quotaOf(10, 0)))
	if got := spendAll(t, NewMeter(d), created+2, lineOf("a", quotaOf(20, 0))); got != 5 {
		t.Errorf("15 of 20 are spent, and %d more pass", got)
	}
}
