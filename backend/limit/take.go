package limit

import (
	"context"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Outcome says whether the limits had room.
type Outcome int

// The outcomes. The zero Outcome is none of them and denies.
const (
	Allowed Outcome = iota + 1
	RateLimited
	QuotaExceeded
)

// Verdict is the answer of Take and Peek.
type Verdict struct {
	Outcome    Outcome
	RetryAfter record.Seconds // of a refusal: until this cost fits; 0 if it never does
	Remaining  Remaining      // of the last line: the presented key
	// Waited tells that Take may have taken its time: for others that take from the same,
	// or for whoever keeps a quota. Else nothing was waited for, and what was so before
	// Take is so after it.
	Waited bool
}

// Remaining is what is left of a key's limits.
type Remaining struct {
	Rate       int64
	RateResets record.Seconds // until the bucket is full, rounded up
	Quota      int64
}

// Take spends cost from every limit of the chain, or from none. The chain begins
// with the root of the delegation and ends with the presented key; its counters
// are locked in that order, so chains that share ancestors cannot block each
// other for ever. now is the mount's time, by which windows are told apart.
//
// Rates are asked first: a request that a rate refuses reserves nothing.
func (m *Meter) Take(ctx context.Context, chain []Line, cost int64, now record.Time) (Verdict, error) {
	waited := slices.ContainsFunc(chain, func(l Line) bool { return l.Limits.Quota > 0 })
	for until := (time.Time{}); ; waited = true {
		verdict, err := m.take(ctx, chain, cost, now)
		if err == nil {
			verdict.Waited = verdict.Waited || waited
			return verdict, nil
		}
		if now, err = m.wait(ctx, err, &until, now); err != nil {
			return Verdict{}, err
		}
	}
}

func (m *Meter) take(ctx context.Context, chain []Line, cost int64, now record.Time) (Verdict, error) {
	held, waited, err := m.holdAll(chain)
	defer m.releaseAll(chain, held)
	if err != nil {
		return Verdict{}, err
	}
	at := m.now()
	verdict := Verdict{Outcome: Allowed}
	if cost > 0 {
		if verdict = askRates(chain, held, cost, at); verdict.Outcome == Allowed {
			verdict, err = m.askQuotas(ctx, chain, held, cost, now)
		}
		if err != nil {
			return Verdict{}, err
		}
		if verdict.Outcome == Allowed {
			spend(chain, held, cost, now)
		}
	}
	last := len(chain) - 1
	verdict.Remaining, err = m.remaining(ctx, chain[last], held[last], at, now)
	verdict.Waited = waited
	return verdict, err
}

// Peek tells what is left of a key's limits and takes nothing.
func (m *Meter) Peek(ctx context.Context, line Line, now record.Time) (Remaining, error) {
	v, err := m.Take(ctx, []Line{line}, 0, now)
	return v.Remaining, err
}

// TryPeek is Peek that waits for nobody: ErrBusy while another request takes.
func (m *Meter) TryPeek(ctx context.Context, line Line, now record.Time) (Remaining, error) {
	c, err := m.find(line.ID)
	if err != nil {
		return Remaining{}, err
	}
	if !c.mu.TryLock() {
		m.leave(line.ID, c)
		return Remaining{}, ErrBusy
	}
	defer m.release(line.ID, c)
	return m.remaining(ctx, line, c, m.now(), now)
}

// holdAll holds all counters of a chain, and tells whether another had one of them.
func (m *Meter) holdAll(chain []Line) (held []*counter, waited bool, err error) {
	held = make([]*counter, 0, len(chain))
	for _, line := range chain {
		c, err := m.find(line.ID)
		if err != nil {
			return held, waited, err
		}
		if !c.mu.TryLock() {
			waited = true
			c.mu.Lock()
		}
		held = append(held, c)
	}
	return held, waited, nil
}

func (m *Meter) releaseAll(chain []Line, held []*counter) {
	for i, c := range held {
		m.release(chain[i].ID, c)
	}
}

// askRates asks every bucket of the chain whether cost fits.
func askRates(chain []Line, held []*counter, cost int64, at time.Duration) Verdict {
	verdict := Verdict{Outcome: Allowed}
	for i, line := range chain {
		if line.Limits.RateLimit == 0 {
			continue
		}
		r := rateOf(line.Limits)
		held[i].refill(r, at)
		wait, never := held[i].fits(r, cost)
		if never {
			return Verdict{Outcome: RateLimited}
		}
		if wait > 0 {
			verdict.Outcome = RateLimited
			verdict.RetryAfter = max(verdict.RetryAfter, roundUp(wait))
		}
	}
	return verdict
}

// askQuotas reserves cost in every quota of the chain. What an earlier line
// reserved for a request that a later one refuses stays reserved for the next.
// After a refusal nothing more is reserved, but every line has its say about how
// long to wait.
func (m *Meter) askQuotas(ctx context.Context, chain []Line, held []*counter, cost int64, now record.Time) (Verdict, error) {
	verdict := Verdict{Outcome: Allowed}
	for i, line := range chain {
		l := line.Limits
		if l.Quota == 0 {
			continue
		}
		fits, err := held[i].quota.fits(ctx, line, cost, verdict.Outcome == Allowed, now)
		if err != nil {
			return Verdict{}, err
		}
		if fits {
			continue
		}
		w := windowOf(l, line.Created, now)
		if w.end == 0 || cost > l.Quota {
			return Verdict{Outcome: QuotaExceeded}, nil
		}
		verdict.Outcome = QuotaExceeded
		verdict.RetryAfter = max(verdict.RetryAfter, w.end.Sub(now))
	}
	return verdict, nil
}

// spend takes from every limit what was found to fit.
func spend(chain []Line, held []*counter, cost int64, now record.Time) {
	for i, line := range chain {
		if line.Limits.RateLimit > 0 {
			held[i].take(cost)
		}
		if line.Limits.Quota > 0 {
			held[i].quota.spend(cost, now)
		}
	}
}

func (m *Meter) remaining(ctx context.Context, line Line, c *counter, at time.Duration, now record.Time) (Remaining, error) {
	var r Remaining
	var err error
	l := line.Limits
	if l.RateLimit > 0 {
		rate := rateOf(l)
		c.refill(rate, at)
		r.Rate = c.bucket.remaining(rate)
		r.RateResets = roundUp(c.resets())
	}
	if l.Quota > 0 {
		r.Quota, err = c.quota.remaining(ctx, line, now)
	}
	return r, err
}

func roundUp(d time.Duration) record.Seconds {
	seconds := record.InSeconds(d)
	if d%time.Second > 0 {
		seconds++
	}
	return seconds
}
