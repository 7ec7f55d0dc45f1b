package record_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func limits(rate int64, period record.Seconds, quota int64, window record.Seconds) record.Limits {
	return record.Limits{RateLimit: rate, RateLimitPeriod: period, Quota: quota, QuotaPeriod: window}
}

func TestWhichLimitsCanBeKept(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		l       record.Limits
		refused bool
	}{
		"none":                               {record.DefaultLimits(), false},
		"the largest":                        {limits(record.MaxRateLimit, record.MaxSeconds, record.MaxQuota, record.MaxSeconds), false},
		"a rate above the largest":           {limits(record.MaxRateLimit+1, 1, 0, 0), true},
		"a quota above the largest":          {limits(0, 1, record.MaxQuota+1, 0), true},
		"a rate in no time":                  {limits(1, 0, 0, 0), true},
		"no rate in no time":                 {limits(0, 0, 0, 0), true},
		"a quota for life":                   {limits(0, 1, 1, 0), false},
		"a window without a quota":           {limits(0, 1, 0, 60), false},
		"the largest rate in a second":       {limits(record.MaxRateLimit, 1, 0, 0), false},
		"the largest number for everything":  {limits(1<<63-1, 1, 1<<63-1, 0), true},
		"the smallest rate and quota of all": {limits(1, 1, 1, 1), false},
	} {
		if err := tc.l.Check(); isMistake(err) != tc.refused || err != nil && !tc.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every combination of a key's and an outer limit, set or not, of the same period
// or not, smaller, equal or larger.
func TestLimitsWithinAndUnderOthers(t *testing.T) {
	t.Parallel()
	type half struct {
		n      int64
		period record.Seconds
	}
	halves := []half{{0, 1}, {0, 60}, {5, 1}, {5, 60}, {9, 1}, {9, 60}}
	for _, own := range halves {
		for _, outer := range halves {
			within, under := true, own
			switch {
			case outer.n == 0:
				if own.n == 0 {
					under = outer
				}
			case own.n == 0:
				under = outer
			default:
				within = own.period == outer.period && own.n <= outer.n
				if own.period != outer.period || outer.n < own.n {
					under = outer
				}
			}
			asRate := limits(own.n, own.period, 3, 7)
			asQuota := limits(3, 7, own.n, own.period)
			outerRate, outerQuota := limits(outer.n, outer.period, 3, 7), limits(3, 7, outer.n, outer.period)
			if err := asRate.Within(outerRate); isMistake(err) == within || within && err != nil {
				t.Errorf("a rate of %+v within %+v: %v", own, outer, err)
			}
			if err := asQuota.Within(outerQuota); isMistake(err) == within || within && err != nil {
				t.Errorf("a quota of %+v within %+v: %v", own, outer, err)
			}
			if got, want := asRate.Under(outerRate), limits(under.n, under.period, 3, 7); got != want {
				t.Errorf("a rate of %+v under %+v is %+v", own, outer, got)
			}
			if got, want := asQuota.Under(outerQuota), limits(3, 7, under.n, under.period); got != want {
				t.Errorf("a quota of %+v under %+v is %+v", own, outer, got)
			}
			if got := asRate.Under(outerRate); got.Under(outerRate) != got || got.Within(outerRate) != nil {
				t.Errorf("what counts for %+v under %+v lies not within it", own, outer)
			}
		}
	}
}

func TestWindowsOfAQuota(t *testing.T) {
	t.Parallel()
	const created = record.Time(1000)
	for name, tc := range map[string]struct {
		period          record.Seconds
		now, start, end record.Time
	}{
		"the first begins with the key":             {100, 1000, 1000, 1100},
		"it lasts to its last second":               {100, 1099, 1000, 1100},
		"the next begins with the second after":     {100, 1100, 1100, 1200},
		"windows follow each other":                 {100, 1999, 1900, 2000},
		"also after ten years":                      {100, created.Add(record.MaxSeconds), created.Add(record.MaxSeconds), created.Add(record.MaxSeconds + 100)},
		"a clock before the creation is the first":  {100, 900, 1000, 1100},
		"one second is a window":                    {1, 1234, 1234, 1235},
		"ten years are a window":                    {record.MaxSeconds, 5000, 1000, created.Add(record.MaxSeconds)},
		"for life there is one":                     {0, 999999, 1000, 0},
		"for life it is the one before its birth":   {0, 10, 1000, 0},
		"a window does not begin at the wall clock": {60, 1059, 1000, 1060},
	} {
		l := limits(0, 1, 5, tc.period)
		if start, end := l.WindowStart(created, tc.now), l.WindowEnd(created, tc.now); start != tc.start || end != tc.end {
			t.Errorf("%s: from %d to %d", name, start, end)
		}
	}
}

func TestTheLimitsOfANewKey(t *testing.T) {
	t.Parallel()
	role := record.Role{UID: "u1", Limits: limits(100, 60, 1000, 3600)}
	for name, tc := range map[string]struct {
		role    record.Limits
		asked   record.LimitsChange
		want    record.Limits
		refused bool
	}{
		"are none of its own when none are named":        {role.Limits, record.LimitsChange{}, limits(0, 60, 0, 3600), false},
		"are none per second under a role without":       {record.DefaultLimits(), record.LimitsChange{}, limits(0, 1, 0, 0), false},
		"have the role's periods":                        {role.Limits, record.LimitsChange{RateLimit: new(int64(5)), Quota: new(int64(6))}, limits(5, 60, 6, 3600), false},
		"may be the role's":                              {role.Limits, record.LimitsChange{RateLimit: new(int64(100)), Quota: new(int64(1000))}, limits(100, 60, 1000, 3600), false},
		"may not be more than the role's rate":           {role.Limits, record.LimitsChange{RateLimit: new(int64(101))}, record.Limits{}, true},
		"may not be more than the role's quota":          {role.Limits, record.LimitsChange{Quota: new(int64(1001))}, record.Limits{}, true},
		"may not be of another period than the role's":   {role.Limits, record.LimitsChange{RateLimit: new(int64(1)), RateLimitPeriod: new(record.Seconds(61))}, record.Limits{}, true},
		"may not be of another window than the role's":   {role.Limits, record.LimitsChange{Quota: new(int64(1)), QuotaPeriod: new(record.Seconds(0))}, record.Limits{}, true},
		"may be anything under a role without":           {record.DefaultLimits(), record.LimitsChange{RateLimit: new(int64(9)), RateLimitPeriod: new(record.Seconds(7)), Quota: new(int64(8)), QuotaPeriod: new(record.Seconds(6))}, limits(9, 7, 8, 6), false},
		"have a period of a second at least":             {record.DefaultLimits(), record.LimitsChange{RateLimitPeriod: new(record.Seconds(0))}, record.Limits{}, true},
		"are at most the largest":                        {record.DefaultLimits(), record.LimitsChange{Quota: new(int64(record.MaxQuota + 1))}, record.Limits{}, true},
		"may name a period for a rate that is not asked": {role.Limits, record.LimitsChange{RateLimitPeriod: new(record.Seconds(5))}, limits(0, 5, 0, 3600), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := record.Grant("web", record.Role{UID: "u1", Limits: tc.role}, record.Request{Limits: tc.asked})
			if isMistake(err) != tc.refused || !tc.refused && (err != nil || k.Limits != tc.want) {
				t.Errorf("granted %+v, %v", k.Limits, err)
			}
		})
	}
}

func TestAChangeOfLimitsKeepsWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	k := record.Key{Limits: limits(5, 60, 6, 3600)}
	role := record.Role{Limits: limits(10, 60, 10, 3600)}
	for _, step := range []struct {
		change record.LimitsChange
		want   record.Limits
	}{
		{record.LimitsChange{}, limits(5, 60, 6, 3600)},
		{record.LimitsChange{RateLimit: new(int64(7))}, limits(7, 60, 6, 3600)},
		{record.LimitsChange{Quota: new(int64(0))}, limits(7, 60, 0, 3600)},
		{record.LimitsChange{RateLimit: new(int64(0)), RateLimitPeriod: new(record.Seconds(1))}, limits(0, 1, 0, 3600)},
	} {
		if err := (record.Change{Limits: step.change}).Apply(&k, role); err != nil || k.Limits != step.want {
			t.Errorf("it became %+v, %v", k.Limits, err)
		}
	}
	// A key that has more than its role allows by now keeps it, and is held to the
	// role by verify; it can be changed in everything else.
	k.Limits = limits(50, 60, 0, 0)
	if err := (record.Change{Name: new("n")}).Apply(&k, role); err != nil || k.Name != "n" || k.RateLimit != 50 {
		t.Errorf("it became %+v, %v", k, err)
	}
}
