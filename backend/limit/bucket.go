package limit

import (
	"math/bits"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// bucket is a token bucket that counts what was spent of it in units, so that
// they stay spent when the limit or its period changes. The zero bucket is full.
type bucket struct {
	spent int64         // units that have not come back yet
	part  time.Duration // how long the next of them had been coming back at the last request
	at    time.Duration // of the last request, on the meter's clock
	rate  rate          // that the last request knew
	pace  time.Duration // how long a unit takes to come back: less than the rate's interval while more is spent than its limit
}

// rate is a limit in the bucket's terms.
type rate struct {
	limit  int64
	period time.Duration
}

func rateOf(l record.Limits) rate { return rate{l.RateLimit, l.RateLimitPeriod.Std()} }

// interval is one verification's share of the period, at least 1 ns.
func (r rate) interval() time.Duration { return max(1, r.period/time.Duration(r.limit)) }

// refill takes back what has come back by now. A bucket hears of a changed rate
// from the next request, and not when it was changed: since the last request the
// slower of both counts.
func (b *bucket) refill(r rate, now time.Duration) {
	pace := b.pace
	if r != b.rate {
		pace, b.rate = b.paceAt(r), r
	}
	elapsed := now - b.at
	b.at = now
	if beyond := b.spent - r.limit; beyond > 0 {
		elapsed = b.comeBack(elapsed, beyond, max(b.pace, pace))
	}
	if b.spent <= r.limit {
		pace = r.interval()
		b.comeBack(elapsed, b.spent, max(b.pace, pace))
	}
	b.convert(pace)
}

// paceAt is the pace from a change of the rate on. What is spent beyond a lowered
// limit is back within a period, as no limit looks further back than that: at the
// new pace a million units of a limit that is now ten a day would take centuries.
// But it comes back no sooner than it did before, or a limit that is lowered for
// a moment would make units good again.
func (b *bucket) paceAt(r rate) time.Duration {
	if b.spent <= r.limit {
		return r.interval()
	}
	return min(r.interval(), max(b.pace, r.period/time.Duration(b.spent)))
}

// comeBack takes back up to so many units at a pace, and returns what it leaves of
// the time.
func (b *bucket) comeBack(elapsed time.Duration, most int64, pace time.Duration) (rest time.Duration) {
	b.convert(pace)
	elapsed += b.part
	back := min(most, int64(elapsed/pace))
	b.spent, b.part, rest = b.spent-back, 0, elapsed-time.Duration(back)*pace
	if back < most {
		b.part, rest = rest, 0
	}
	return rest
}

// convert goes on at another pace. The unit that is coming back has the same
// share of its way behind it, rounded down.
func (b *bucket) convert(pace time.Duration) {
	if b.part > 0 && pace != b.pace {
		high, low := bits.Mul64(uint64(b.part), uint64(pace))
		share, _ := bits.Div64(high, low, uint64(b.pace))
		b.part = time.Duration(share)
	}
	b.pace = pace
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

// until is how long it takes until so many units have come back. That is two
// periods at most, so it is never too long to be told.
func (b *bucket) until(units int64) time.Duration {
	if units <= 0 {
		return 0
	}
	beyond := min(units, max(0, b.spent-b.rate.limit))
	return time.Duration(beyond)*b.pace + time.Duration(units-beyond)*b.rate.interval() - b.part
}

// full tells whether everything has come back by now, by the rate that the last
// request knew.
func (b *bucket) full(now time.Duration) bool {
	return b.spent == 0 || now-b.at >= b.until(b.spent)
}
