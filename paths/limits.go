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

// setLimits writes the limits that were sent to a role.
func setLimits(in input, l *record.Limits) {
	set(in, "rate_limit", &l.RateLimit)
	set(in, "rate_limit_period", &l.RateLimitPeriod)
	set(in, "quota", &l.Quota)
	set(in, "quota_period", &l.QuotaPeriod)
}

// setCount writes a small number that was sent. One that is too large stays too
// large.
func setCount(in input, name string, to *int) {
	if n := optional[int64](in, name); n != nil {
		*to = int(min(*n, math.MaxInt32))
	}
}
