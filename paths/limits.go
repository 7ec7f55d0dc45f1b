package paths

import (
	"math"

	"vault-plugin-secrets-apikeys/backend/record"
)

// limitFields are the limits of one key, as a caller may set them.
var limitFields = fields{
	"rate_limit":        {kind: count, help: "Verifications per rate_limit_period; 0 for the role's. Not above the role's."},
	"rate_limit_period": {kind: duration, help: "Period of rate_limit; the role's where it sets a rate_limit, else 1s."},
	"quota":             {kind: count, help: "Verifications in all, or per quota_period; 0 for the role's. Not above the role's."},
	"quota_period":      {kind: duration, help: "Length of a quota window, 0 for the key's whole life; the role's where it sets a quota."},
}

// limitsChange is what the caller sent of a key's limits.
func limitsChange(in input) record.LimitsChange {
	return record.LimitsChange{
		RateLimit:       optional[int64](in, "rate_limit"),
		RateLimitPeriod: optional[record.Seconds](in, "rate_limit_period"),
		Quota:           optional[int64](in, "quota"),
		QuotaPeriod:     optional[record.Seconds](in, "quota_period"),
	}
}

// small is a small number. One that is too large stays too large.
func small[T any](name, help string, place func(*T) *int) row[T] {
	return row[T]{name, field{kind: count, help: help},
		func(in input, to *T) error {
			if n := optional[int64](in, name); n != nil {
				*place(to) = int(min(*n, math.MaxInt32))
			}
			return nil
		},
		func(of *T) any { return *place(of) },
	}
}
