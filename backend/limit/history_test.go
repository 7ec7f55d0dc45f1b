package limit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// naive counts rates and quotas by remembering each verification.
type naive struct {
	all   []spending
	spent float64 // of the rate
	at    time.Duration
	rate  record.Limits
	pace  float64 // seconds until a unit is back
}

type spending struct {
	at   record.Time
	cost int64
}

// refill takes back what has come back of the rate. A changed one counts from the
// request that meets it, and before it the slower of the two. What is spent beyond
// a lowered one is back within its period, and no sooner than before.
func (n *naive) refill(l record.Limits, at time.Duration) {
	if l.RateLimit == 0 {
		return
	}
	limit, period := float64(l.RateLimit), l.RateLimitPeriod.Std().Seconds()
	own := period / limit
	pace := n.pace
	if l.RateLimit != n.rate.RateLimit || l.RateLimitPeriod != n.rate.RateLimitPeriod {
		pace = min(own, max(n.pace, period/max(limit, n.spent)))
	}
	seconds := (at - n.at).Seconds()
	if beyond := n.spent - limit; beyond > 0 {
		back := min(beyond, seconds/max(n.pace, pace))
		n.spent, seconds = n.spent-back, seconds-back*max(n.pace, pace)
	}
	if n.spent <= limit+1e-9 {
		n.spent, pace = max(0, n.spent-seconds/max(n.pace, own)), own
	}
	n.at, n.rate, n.pace = at, l, pace
}

// forget drops a bucket that is full by the rate that its last request met.
func (n *naive) forget(at time.Duration) {
	full := *n
	if full.refill(n.rate, at); full.spent == 0 {
		*n = full
	}
}

// allows tells whether a verification may be valid.
func (n *naive) allows(l record.Limits, cost int64, now record.Time) bool {
	if l.RateLimit > 0 && n.spent+float64(cost) > float64(l.RateLimit)+1e-6 {
		return false
	}
	if l.Quota == 0 {
		return true
	}
	sum := cost
	for _, s := range n.all {
		if l.QuotaPeriod == 0 || s.at >= l.WindowStart(created, now) {
			sum += s.cost
		}
	}
	return sum <= l.Quota
}

// history is one meter after the other beside the naive count.
type history struct {
	*testing.T
	*Meter
	naive
	disk   *disk
	random *rand.Rand
	limits record.Limits
	began  time.Time
	valid  int
}

func (h *history) now() record.Time {
	return created.Add(record.InSeconds(time.Since(h.began)))
}

func (h *history) change() {
	periods := []record.Seconds{0, 7, 60, 61, 600, 3600}
	switch h.random.IntN(6) {
	case 0:
		h.limits.Quota = 0 // off
	case 1:
		h.limits.QuotaPeriod = periods[h.random.IntN(len(periods))]
	case 2:
		h.limits.RateLimit = h.random.Int64N(200) * h.random.Int64N(2)
	case 3:
		h.limits.RateLimitPeriod = 1 + record.Seconds(h.random.IntN(100))
	default:
		h.limits.Quota = 1 + h.random.Int64N(int64([]int{4, 100, 2000}[h.random.IntN(3)]))
	}
}

func (h *history) step() {
	h.disk.failPut = nil
	switch h.random.IntN(30) {
	case 0, 1:
		h.change()
	case 2:
		h.crash()
	case 3:
		if err := h.Settle(h.Context(), 0); err != nil {
			h.Fatal(err)
		}
		h.forget(time.Since(h.began))
	case 4:
		time.Sleep(time.Duration(h.random.IntN([]int{10, 100, 5000}[h.random.IntN(3)])) * time.Second)
	case 5, 6, 7, 8:
		time.Sleep(time.Duration(h.random.IntN(2000)) * time.Millisecond)
	case 9:
		effect := h.random.IntN(2) == 0
		h.disk.failPut = func(int) (bool, bool) { return effect, true }
		h.verify()
	default:
		h.verify()
	}
}

// crash begins a new process. A rate is kept in memory only.
func (h *history) crash() {
	h.Meter = NewMeter(h.disk)
	h.spent = 0
}

func (h *history) verify() {
	cost := 1 + h.random.Int64N(3)
	line := lineOf("a", h.limits)
	h.refill(h.limits, time.Since(h.began))
	v, err := h.Take(h.Context(), []Line{line}, cost, h.now())
	if err != nil || v.Outcome != Allowed {
		return
	}
	if !h.allows(h.limits, cost, h.now()) {
		h.Fatalf("%+v: %d more are valid at %d, with %g of the rate spent", h.limits, cost, h.now(), h.spent)
	}
	h.valid++
	if h.limits.RateLimit > 0 {
		h.spent += float64(cost)
	}
	if h.limits.Quota > 0 {
		h.all = append(h.all, spending{h.now(), cost})
	}
}

// later is when it matters no more what was: a new window gives all that it has.
func (h *history) later() {
	h.disk.failPut = nil
	time.Sleep(blockLife.Std() + time.Minute)
	for quota := range int64(70) {
		time.Sleep(time.Minute)
		line := lineOf("a", quotaOf(quota+1, 60))
		if got := spendAll(h.T, h.Meter, h.now(), line); got != quota+1 {
			h.Fatalf("a new window of %d gave %d", quota+1, got)
		}
		if quota%2 == 0 { // also to another process, of one that kept a block
			line := lineOf("a", quotaOf(1000, 60))
			take(h.T, h.Meter, 1, h.now(), line)
			h.Meter = NewMeter(h.disk)
		}
	}
}

func TestNoHistoryMakesMoreValidThanWasAllowed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				h := &history{T: t, Meter: NewMeter(d), disk: d, random: rand.New(rand.NewPCG(seed, 11)), limits: quotaOf(50, 60), began: time.Now()}
				h.rate = h.limits
				for range 3000 {
					h.step()
				}
				if h.valid < 100 {
					t.Errorf("only %d were valid", h.valid)
				}
				h.later()
			})
		})
	}
}
