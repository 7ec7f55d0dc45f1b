package limit

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// step is a limit, and how many verifications it lets through some time after
// the one before.
type step struct {
	after  record.Seconds
	limits record.Limits
	fits   int64
}

const day = 86400

func TestSpentUnitsStaySpentThroughChangesOfARate(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"raised":                         {{0, rated(1000, day), 1000}, {0, rated(10000, day), 9000}, {0, rated(1000, day), 0}},
		"lowered below what was spent":   {{0, rated(50, 3600), 50}, {0, rated(20, 3600), 0}, {1800, rated(20, 3600), 0}, {539, rated(20, 3600), 0}, {1, rated(20, 3600), 1}},
		"another period":                 {{0, rated(10, 1), 10}, {0, rated(10, 3600), 0}, {360, rated(10, 3600), 1}},
		"there and back":                 {{0, rated(10, 3600), 10}, {0, rated(10, 1), 0}, {0, rated(10, 3600), 0}, {360, rated(10, 3600), 1}},
		"as tight as can be and back":    {{0, rated(record.MaxRateLimit, 1), 20}, {0, rated(1, record.MaxSeconds), 0}, {0, rated(15, 1), 0}, {0, rated(30, 1), 10}},
		"a part of a unit has come back": {{0, rated(1, 100), 1}, {99, rated(1, 100), 0}, {0, rated(1, 1000), 0}, {9, rated(1, 1000), 0}, {1, rated(1, 1000), 1}},
		"off and on":                     {{0, rated(10, 3600), 10}, {0, rated(0, 1), 0}, {0, rated(10, 3600), 0}},
		"slower, when nobody asked":      {{0, rated(100, 3600), 100}, {360, rated(10, 3600), 0}, {2880, rated(10, 3600), 0}, {0, rated(100, 3600), 90}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := NewMeter(newDisk())
				for i, s := range steps {
					time.Sleep(s.after.Std())
					line := lineOf("a", s.limits)
					if got := spendSome(t, m, created, min(s.fits, 20), line); got != min(s.fits, 20) {
						t.Fatalf("step %d gave %d", i, got)
					}
					if rest := s.fits - 20; rest > 0 && take(t, m, rest, created, line).Outcome != Allowed {
						t.Fatalf("step %d did not give %d at once", i, rest)
					}
					if s.limits.RateLimit == record.MaxRateLimit || s.limits.RateLimit == 0 {
						continue
					}
					if v := take(t, m, 1, created, line); v.Outcome == Allowed {
						t.Fatalf("step %d gave more than %d", i, s.fits)
					}
				}
			})
		})
	}
}

// spendSome takes one by one, at most so often.
func spendSome(t *testing.T, m *Meter, now record.Time, most int64, chain ...Line) (n int64) {
	t.Helper()
	for n < most && take(t, m, 1, now, chain...).Outcome == Allowed {
		n++
	}
	return n
}

func TestSpentUnitsStaySpentThroughChangesOfAQuota(t *testing.T) {
	t.Parallel()
	life, hourly := quotaOf(10, 0), quotaOf(10, 3600)
	for name, steps := range map[string][]step{
		"raised":                             {{0, quotaOf(1000, day), 1000}, {0, quotaOf(10000, day), 9000}, {0, quotaOf(1000, day), 0}},
		"lowered below what was spent":       {{0, quotaOf(50, 3600), 50}, {0, quotaOf(20, 3600), 0}, {3599, quotaOf(20, 3600), 0}, {1, quotaOf(20, 3600), 20}},
		"for life, by windows and back":      {{0, life, 10}, {4000, hourly, 10}, {3600, hourly, 10}, {3600, life, 0}, {day, life, 0}, {0, quotaOf(37, 0), 7}},
		"by windows, for life and back":      {{0, hourly, 10}, {3600, life, 0}, {0, hourly, 10}, {0, life, 0}, {0, hourly, 0}},
		"a longer window counts the shorter": {{0, quotaOf(5, 100), 5}, {100, quotaOf(5, 100), 5}, {100, quotaOf(5, 100), 5}, {0, quotaOf(20, 1000), 5}, {0, quotaOf(5, 100), 0}, {100, quotaOf(5, 100), 5}, {0, quotaOf(24, 1000), 0}, {700, quotaOf(24, 1000), 24}},
		"off and on":                         {{0, life, 10}, {0, quotaOf(0, 0), 0}, {0, life, 0}, {day, life, 0}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", restarts: ", restart), func(t *testing.T) {
				t.Parallel()
				d, now := newDisk(), created
				m := NewMeter(d)
				for i, s := range steps {
					if restart {
						if err := m.Settle(t.Context(), 0); err != nil {
							t.Fatal(err)
						}
						m = NewMeter(d)
					}
					now = now.Add(s.after)
					if s.limits.Quota == 0 {
						continue
					}
					if got := spendAll(t, m, now, lineOf("a", s.limits)); got != s.fits {
						t.Fatalf("step %d gave %d", i, got)
					}
				}
			})
		}
	}
}

// A clock that is set back by less than a window makes a window come again.
func TestAWindowThatComesAgainIsNotRefilled(t *testing.T) {
	t.Parallel()
	line := lineOf("a", quotaOf(10, 100))
	for name, steps := range map[string][]struct {
		now  record.Time
		fits int64
	}{
		"a second":                    {{created + 99, 10}, {created + 100, 10}, {created + 99, 0}, {created + 100, 0}, {created + 200, 10}},
		"almost a window":             {{created + 150, 10}, {created + 51, 0}, {created + 100, 0}, {created + 199, 0}, {created + 200, 10}},
		"further than it ever was":    {{created + 150, 10}, {created - 10, 0}, {created + 99, 0}, {created + 200, 10}},
		"twice":                       {{created + 199, 10}, {created + 200, 10}, {created + 190, 0}, {created + 201, 0}, {created + 195, 0}, {created + 299, 0}, {created + 300, 10}},
		"ten years ahead, then right": {{created + 3650*day, 10}, {created + 10, 0}, {created + 100, 10}, {created + 200, 10}},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", restarts: ", restart), func(t *testing.T) {
				t.Parallel()
				d := newDisk()
				m := NewMeter(d)
				for i, s := range steps {
					if got := spendAll(t, m, s.now, line); got != s.fits {
						t.Fatalf("step %d gave %d", i, got)
					}
					if restart {
						m = NewMeter(d)
					}
				}
			})
		}
	}
}
