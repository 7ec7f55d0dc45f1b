package limit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestABucketHoldsItsLimitAndRefillsEvenly(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		limit  int64
		period record.Seconds
	}{{1, 1}, {2, 1}, {3, 1}, {7, 10}, {10, 1}, {60, 60}, {1000, 1}, {1, 3600}, {5, 86400}} {
		t.Run(fmt.Sprintf("%d in %d s", tc.limit, tc.period), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, line := NewMeter(newDisk()), lineOf("a", rated(tc.limit, tc.period))
				for range 2 {
					if got := spendAll(t, m, created, line); got != tc.limit {
						t.Fatalf("a full bucket gave %d", got)
					}
					time.Sleep(tc.period.Std())
				}
				spendAll(t, m, created, line)
				one := tc.period.Std() / time.Duration(tc.limit)
				for range min(tc.limit, 20) {
					time.Sleep(one - 1)
					if take(t, m, 1, created, line).Outcome == Allowed {
						t.Fatal("one came back too early")
					}
					time.Sleep(time.Nanosecond)
					if v := take(t, m, 1, created, line); v.Outcome != Allowed || v.Remaining.Rate != 0 {
						t.Fatalf("after its share of the period it is %+v", v)
					}
				}
			})
		})
	}
}

// In any stretch of time no more passes than the bucket and what refills in it.
func TestABucketNeverGivesMoreThanItRefills(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		m, line := NewMeter(newDisk()), lineOf("a", rated(10, 5))
		type spent struct {
			at   time.Time
			cost int64
		}
		var all []spent
		for range 2000 {
			time.Sleep(time.Duration(random.IntN(900)) * time.Millisecond)
			if cost := random.Int64N(11); take(t, m, cost, created, line).Outcome == Allowed {
				all = append(all, spent{time.Now(), cost})
			}
		}
		for from := range all {
			total := int64(0)
			for _, s := range all[from:min(from+100, len(all))] {
				total += s.cost
				if most := 10 + int64(s.at.Sub(all[from].at)/(time.Second/2)); total > most {
					t.Fatalf("%d passed in %s", total, s.at.Sub(all[from].at))
				}
			}
		}
		if len(all) < 400 {
			t.Errorf("only %d passed", len(all))
		}
	})
}

func TestRetryAfterIsTheFirstSecondAtWhichTheCostFits(t *testing.T) {
	t.Parallel()
	for _, l := range []record.Limits{rated(1, 1), rated(3, 1), rated(10, 60), rated(7, 3), rated(2, 86400)} {
		for spent := int64(1); spent <= l.RateLimit; spent++ {
			for cost := int64(1); cost <= l.RateLimit; cost++ {
				synctest.Test(t, func(t *testing.T) {
					m, line := NewMeter(newDisk()), lineOf("a", l)
					take(t, m, spent, created, line)
					v := take(t, m, cost, created, line)
					if v.Outcome == Allowed {
						if spent+cost > l.RateLimit {
							t.Fatalf("%+v: %d and %d fit", l, spent, cost)
						}
						return
					}
					if v.Outcome != RateLimited || v.RetryAfter < 1 {
						t.Fatalf("%+v: %d after %d is %+v", l, cost, spent, v)
					}
					time.Sleep((v.RetryAfter - 1).Std())
					if v.RetryAfter > 1 && take(t, m, cost, created, line).Outcome == Allowed {
						t.Errorf("%+v: %d after %d fits a second before retry_after", l, cost, spent)
					}
					time.Sleep(time.Second)
					if take(t, m, cost, created, line).Outcome != Allowed {
						t.Errorf("%+v: %d after %d does not fit after retry_after", l, cost, spent)
					}
				})
			}
		}
	}
}

func TestWhatRemainsOfARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, line := NewMeter(newDisk()), lineOf("a", rated(10, 20)) // one in two seconds
		for _, step := range []struct {
			sleep     time.Duration
			cost      int64
			remaining Remaining
		}{
			{0, 0, Remaining{Rate: 10}},
			{0, 4, Remaining{Rate: 6, RateResets: 8}},
			{time.Millisecond, 0, Remaining{Rate: 6, RateResets: 8}},
			{1999 * time.Millisecond, 0, Remaining{Rate: 7, RateResets: 6}},
			{5999 * time.Millisecond, 0, Remaining{Rate: 9, RateResets: 1}},
			{time.Millisecond, 0, Remaining{Rate: 10}},
			{time.Hour, 10, Remaining{RateResets: 20}},
		} {
			time.Sleep(step.sleep)
			if v := take(t, m, step.cost, created, line); v.Outcome != Allowed || v.Remaining != step.remaining {
				t.Errorf("after %d more in %s it is %+v", step.cost, step.sleep, v)
			}
		}
	})
}

func TestACostAboveTheBucketNeverFits(t *testing.T) {
	t.Parallel()
	for _, cost := range []int64{6, 1 << 40, 1<<63 - 1} {
		m, line := NewMeter(newDisk()), lineOf("a", rated(5, 1))
		if v := take(t, m, cost, created, line); v.Outcome != RateLimited || v.RetryAfter != 0 || v.Remaining.Rate != 5 {
			t.Errorf("a cost of %d is %+v", cost, v)
		}
	}
}

func TestTheLargestLimitsDoNotOverflow(t *testing.T) {
	t.Parallel()
	for _, period := range []record.Seconds{1, 3600, record.MaxSeconds} {
		synctest.Test(t, func(t *testing.T) {
			m, line := NewMeter(newDisk()), lineOf("a", rated(record.MaxRateLimit, period))
			v := take(t, m, record.MaxRateLimit, created, line)
			if v.Outcome != Allowed || v.Remaining != (Remaining{RateResets: period}) {
				t.Errorf("all of it at once is %+v", v)
			}
			if v := take(t, m, record.MaxRateLimit, created, line); v.Outcome != RateLimited || v.RetryAfter != period {
				t.Errorf("all of it again is %+v", v)
			}
			time.Sleep(period.Std())
			if v := take(t, m, record.MaxRateLimit, created, line); v.Outcome != Allowed {
				t.Errorf("a period later it is %+v", v)
			}
		})
	}
}

func TestAChangedRateCountsAtOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, after record.Limits
		spent         int64
		remaining     Remaining
	}{
		"lowered below what was spent": {rated(100, 100), rated(10, 100), 50, Remaining{RateResets: 180}},
		"lowered, in a shorter period": {rated(100, 100), rated(1, 1), 100, Remaining{RateResets: 100}},
		"raised":                       {rated(10, 10), rated(100, 10), 10, Remaining{Rate: 90, RateResets: 1}},
		"slower":                       {rated(10, 10), rated(10, 100), 10, Remaining{RateResets: 100}},
		"the same":                     {rated(10, 10), rated(10, 10), 3, Remaining{Rate: 7, RateResets: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := NewMeter(newDisk())
				take(t, m, tc.spent, created, lineOf("a", tc.before))
				if v := take(t, m, 0, created, lineOf("a", tc.after)); v.Remaining != tc.remaining {
					t.Errorf("it is %+v", v.Remaining)
				}
			})
		})
	}
}

// Units beyond a lowered limit come back within a period, not each at the new
// limit's pace: a customer whose million a day becomes ten a day waits for days,
// not for centuries.
func TestALoweredRateRefusesForTwoPeriodsAtMost(t *testing.T) {
	t.Parallel()
	day := rated(1, 86400).RateLimitPeriod
	for name, tc := range map[string]struct{ before, after record.Limits }{
		"a million a day, ten a day":     {rated(1_000_000, day), rated(10, day)},
		"a thousand a second, one a day": {rated(1000, 1), rated(1, day)},
		"hourly, half of it":             {rated(100, 3600), rated(50, 3600)},
		"the most, the least":            {rated(record.MaxRateLimit, 1), rated(1, record.MaxSeconds)},
	} {
		for _, asks := range []int{1, 50} {
			t.Run(fmt.Sprint(name, ", asked ", asks, " times"), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m, line := NewMeter(newDisk()), lineOf("a", tc.after)
					take(t, m, tc.before.RateLimit, created, lineOf("a", tc.before))
					v := take(t, m, 1, created, line)
					if v.Outcome != RateLimited || v.RetryAfter > 2*tc.after.RateLimitPeriod {
						t.Fatalf("right after it is %+v", v)
					}
					for range asks {
						if v := take(t, m, 1, created, line); v.Outcome == Allowed {
							t.Fatal("one passes before retry_after")
						}
						time.Sleep(v.RetryAfter.Std() / time.Duration(asks))
					}
					time.Sleep(time.Duration(asks)) // what the division lost
					if v := take(t, m, 1, created, line); v.Outcome != Allowed {
						t.Errorf("after retry_after of %d s it is %+v", v.RetryAfter, v)
					}
				})
			})
		}
	}
}

// Nor does a limit that is lowered and raised again give anything back.
func TestARateThatIsLoweredForAMomentGivesNothingBack(t *testing.T) {
	t.Parallel()
	for _, between := range []record.Limits{rated(10, 86400), rated(1, 86400), rated(10, 1), rated(1, record.MaxSeconds)} {
		synctest.Test(t, func(t *testing.T) {
			m, line := NewMeter(newDisk()), lineOf("a", rated(1_000_000, 86400))
			take(t, m, 1_000_000, created, line)
			for range 100 {
				take(t, m, 0, created, lineOf("a", between))
				time.Sleep(100 * time.Millisecond)
				take(t, m, 0, created, lineOf("a", between))
				take(t, m, 0, created, line)
			}
			if got := take(t, m, 0, created, line).Remaining.Rate; got > 10_000/86 {
				t.Errorf("%d came back in ten seconds by way of %+v", got, between)
			}
		})
	}
}
