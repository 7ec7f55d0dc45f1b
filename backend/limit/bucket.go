package limit

import (
	"math"
	"math/bits"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// bucket is a token bucket that counts what was spent of it in units, so that
// they stay spent when the limit or its period changes. The zero bucket is full.
type bucket struct {
	spent    int64         // units that have not come back yet
	part     time.Duration // how long the next of them had been coming back at the last request
	at       time.Duration // of the last request, on the meter's clock
	interval time.Duration // how long a unit took to come back, by the rate that the last request knew
}

// rate is a limit in the bucket's terms.
type rate struct {
	limit    int64
	interval time.Duration // one verification's share of the period, at least 1 ns
}

func rateOf(l record.Limits) rate {
	return rate{l.RateLimit, max(1, l.RateLimitPeriod.Std()/time.Duration(l.RateLimit))}
}

// refill takes back what has come back by now. A bucket hears of a changed rate
// from the next request, and not when it was changed: since the last request the
// slower of both counts.
func (b *bucket) refill(r rate, now time.Duration) {
	if r.interval > b.interval {
		b.convert(r.interval)
	}
	elapsed := b.part + now - b.at
	b.at = now
	if back := int64(elapsed / b.interval); back < b.spent {
		b.spent, b.part = b.spent-back, elapsed%b.interval
	} else {
		b.spent, b.part = 0, 0
	}
	if r.interval < b.interval {
		b.convert(r.interval)
	}
}

// convert goes on at another rate. The unit that is coming back has the same
// share of its way behind it, rounded down.
func (b *bucket) convert(interval time.Duration) {
	if b.part > 0 {
		high, low := bits.Mul64(uint64(b.part), uint64(interval))
		share, _ := bits.Div64(high, low, uint64(b.interval))
		b.part = time.Duration(share)
	}
	b.interval = interval
}

// fits tells how long to wait until cost fits; never is true when it cannot. It
// and those below go by the last refill.
func (b *bucket) fits(r rate, cost int64) (wait time.Duration, never bool) {
	if cost > r.limit {
		return 0, true
	}
	return b.until(b.spent + cost - r.limit), false
}

// take spends cost, which fits.
func (b *bucket) take(cost int64) { b.spent += cost }

// remaining is how many verifications fit.
func (b *bucket) remaining(r rate) int64 { return max(0, r.limit-b.spent) }

// resets is how long it takes until the bucket is full.
func (b *bucket) resets() time.Duration { return b.until(b.spent) }

// until is how long it takes until so many units have come back. A lowered limit
// can make that longer than can be said.
func (b *bucket) until(units int64) time.Duration {
	switch {
	case units <= 0:
		return 0
	case units > int64(math.MaxInt64/b.interval):
		return math.MaxInt64
	}
	return time.Duration(units)*b.interval - b.part
}

// full tells whether everything has come back by now, by the rate that the last
// request knew.
func (b *bucket) full(now time.Duration) bool {
	return b.spent == 0 || now-b.at >= b.until(b.spent)
}
