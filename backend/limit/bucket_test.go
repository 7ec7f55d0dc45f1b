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
		"lowered below what was spent": {rated(100, 100), rated(10, 100), 50, Remaining{RateResets: 500}},
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
