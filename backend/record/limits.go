package record

// Limits bound how often a key may be verified, of a key or of a role.
type Limits struct {
	RateLimit       int64   `json:"rate_limit"`        // verifications per period; 0 for none
	RateLimitPeriod Seconds `json:"rate_limit_period"` // at least a second
	Quota           int64   `json:"quota"`             // verifications in all, or per window; 0 for none
	QuotaPeriod     Seconds `json:"quota_period"`      // length of a window; 0 for the key's whole life
}

// The largest limits. A rate beyond the first has no use; the second keeps sums
// far from overflow.
const (
	MaxRateLimit = 1_000_000_000
	MaxQuota     = 1_000_000_000_000_000
)

// DefaultLimits are none, per second.
func DefaultLimits() Limits { return Limits{RateLimitPeriod: 1} }

// Check refuses limits that cannot be kept.
func (l Limits) Check() error {
	switch {
	case l.RateLimit > MaxRateLimit:
		return Mistakef("rate_limit is above %d", MaxRateLimit)
	case l.RateLimitPeriod < 1:
		return Mistake("rate_limit_period must be at least one second")
	case l.Quota > MaxQuota:
		return Mistakef("quota is above %d", MaxQuota)
	}
	return nil
}

// intact tells whether stored limits have kept their parts: a rate without its
// period would refill at once.
func (l Limits) intact() bool { return l.RateLimit == 0 || l.RateLimitPeriod > 0 }

// Within refuses limits that are looser than outer's, or cannot be compared
// with them. Where outer sets none, any will do, and none of its own leaves a
// key under outer's.
func (l Limits) Within(outer Limits) error {
	if l.RateLimit > 0 && outer.RateLimit > 0 &&
		(l.RateLimitPeriod != outer.RateLimitPeriod || l.RateLimit > outer.RateLimit) {
		return Mistakef("rate_limit must not be above the role's or the parent's, which is %d, and must have its rate_limit_period of %d seconds", outer.RateLimit, outer.RateLimitPeriod)
	}
	if l.Quota > 0 && outer.Quota > 0 &&
		(l.QuotaPeriod != outer.QuotaPeriod || l.Quota > outer.Quota) {
		return Mistakef("quota must not be above the role's or the parent's, which is %d, and must have its quota_period of %d seconds", outer.Quota, outer.QuotaPeriod)
	}
	return nil
}

// Under is what counts for a key with these limits: the tighter of its own and
// the role's, and the role's where their periods differ.
func (l Limits) Under(role Limits) Limits {
	if l.RateLimit == 0 || role.RateLimit > 0 &&
		(l.RateLimitPeriod != role.RateLimitPeriod || role.RateLimit < l.RateLimit) {
		l.RateLimit, l.RateLimitPeriod = role.RateLimit, role.RateLimitPeriod
	}
	if l.Quota == 0 || role.Quota > 0 &&
		(l.QuotaPeriod != role.QuotaPeriod || role.Quota < l.Quota) {
		l.Quota, l.QuotaPeriod = role.Quota, role.QuotaPeriod
	}
	return l
}

// WindowStart is when the present quota window began: windows follow each other
// from the key's creation.
func (l Limits) WindowStart(created, now Time) Time {
	if l.QuotaPeriod == 0 || now <= created {
		return created
	}
	return now - Time(now.Sub(created)%l.QuotaPeriod)
}

// WindowEnd is when the quota refills, 0 if it never does.
func (l Limits) WindowEnd(created, now Time) Time {
	if l.QuotaPeriod == 0 {
		return 0
	}
	return l.WindowStart(created, now).Add(l.QuotaPeriod)
}
