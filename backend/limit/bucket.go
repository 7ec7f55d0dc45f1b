package limit

import (
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// bucket is a token bucket in the form of the generic cell rate algorithm: its
// whole state is the moment at which it will be full again. The zero bucket is
// full.
type bucket struct {
	fullAt time.Duration // on the meter's clock
}

// rate is a limit in the bucket's terms.
type rate struct {
	limit    int64
	interval time.Duration // one verification's share of the period, at least 1 ns
}

func rateOf(l record.Limits) rate {
	return rate{l.RateLimit, max(1, l.RateLimitPeriod.Std()/time.Duration(l.RateLimit))}
}

// depth is how long an empty bucket takes to fill.
func (r rate) depth() time.Duration { return time.Duration(r.limit) * r.interval }

// debt is how far the bucket is from full. A limit that was lowered since does
// not leave it emptier than empty.
func (b bucket) debt(r rate, now time.Duration) time.Duration {
	return min(max(0, b.fullAt-now), r.depth())
}

// fits tells how long to wait until cost fits; never is true when it cannot.
func (b bucket) fits(r rate, cost int64, now time.Duration) (wait time.Duration, never bool) {
	if cost > r.limit {
		return 0, true
	}
	return max(0, b.debt(r, now)+time.Duration(cost)*r.interval-r.depth()), false
}

// take spends cost, which fits.
func (b *bucket) take(r rate, cost int64, now time.Duration) {
	b.fullAt = now + b.debt(r, now) + time.Duration(cost)*r.interval
}

// remaining is how many verifications fit now.
func (b bucket) remaining(r rate, now time.Duration) int64 {
	return int64((r.depth() - b.debt(r, now)) / r.interval)
}
