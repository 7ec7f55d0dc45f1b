package edge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// spending is what was answered as valid, by the window of the quota that the answer
// names.
type spending struct {
	mu    sync.Mutex
	valid map[record.Time]int64
	codes map[string]int
}

// TestNoQuotaIsOverspentThroughAnyNetwork has many gates and the engine spend from one
// quota, through networks that lose, delay and repeat what is said, and processes that are
// killed. Seeds as for the walks.
func TestNoQuotaIsOverspentThroughAnyNetwork(t *testing.T) {
	first, seeds := fromEnv("EDGE_SEED", 1), fromEnv("EDGE_SEEDS", 6)
	for seed := first; seed < first+seeds; seed++ {
		for what, period := range map[string]int64{"for life": 0, "in windows": 25} {
			t.Run(fmt.Sprintf("seed %d, %s", seed, what), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { overspend(t, uint64(seed), period) })
			})
		}
	}
}

func overspend(t *testing.T, seed uint64, period int64) {
	const quota = 300
	random := rand.New(rand.NewPCG(seed, 5))
	role := map[string]any{"quota": quota, "quota_period": period}
	s := newScene(t, role)
	ledger := &spending{valid: map[record.Time]int64{}, codes: map[string]int{}}
	s.id, s.text = s.issue(nil)
	gates := []*gate{s.g}
	for i := range 3 {
		g := newGate(t, s.vault, seed*10+uint64(i), settings(name("other", i)))
		g.net.set(fine)
		gates = append(gates, g)
	}
	ready(t, gates...)
	ctx, stop := context.WithCancel(t.Context())
	var spending sync.WaitGroup
	for i, g := range gates {
		spending.Go(func() { ledger.spend(ctx, g, s.text, rand.New(rand.NewPCG(seed, 20+uint64(i)))) })
	}
	weathers := []weather{
		fine, {delay: 300 * time.Millisecond, lost: 200}, {delay: 50 * time.Millisecond, stale: 300}, {cut: true}, {delay: 100 * time.Millisecond, again: 300},
	}
	for range 40 {
		time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
		gates[random.IntN(len(gates))].net.set(weathers[random.IntN(len(weathers))])
		switch random.IntN(12) {
		case 0:
			s.restart()
		case 1:
			gates[len(gates)-1].net.set(weather{cut: true}) // as one that was killed
		}
		ledger.engine(s)
	}
	stop()
	spending.Wait()
	for window, spent := range ledger.valid {
		if spent > quota {
			t.Errorf("of a quota of %d, %d were spent in the window that ends at %v", quota, spent, window)
		}
	}
	t.Logf("seed %d: spent %v, answers %v", seed, ledger.valid, ledger.codes)
}

func (l *spending) spend(ctx context.Context, g *gate, text string, random *rand.Rand) {
	for sleep(ctx, time.Duration(random.Int64N(int64(300*time.Millisecond)))) == nil {
		cost := 1 + random.Int64N(3)
		l.note(g.ask(question{text: text, cost: cost}), cost)
	}
}

// engine has the engine decide.
func (l *spending) engine(s *scene) {
	a := s.m.Must("verify", map[string]any{"key": s.text, "cost": 1})
	r := reply{Decision: verify.Decision{Code: verify.Code(a.Str("code"))}}
	if resets, err := time.Parse(time.RFC3339, a.Str("quota_resets_at")); err == nil {
		r.QuotaResetsAt = record.At(resets)
	}
	l.note(r, 1)
}

func (l *spending) note(r reply, cost int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes[r.String()]++
	if r.code() == verify.Valid {
		l.valid[r.QuotaResetsAt] += cost
	}
}

// Over gates that all reach Vault the last unit of a quota is found, and not one more.
func TestTheLastUnitIsFoundOverAllGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quota = 500
		s := newScene(t, map[string]any{"quota": quota})
		s.id, s.text = s.issue(nil)
		gates := []*gate{s.g}
		for i := range 4 {
			g := newGate(t, s.vault, uint64(30+i), settings(name("other", i)))
			g.net.set(fine)
			gates = append(gates, g)
		}
		ready(t, gates...)
		random, spent, refused := rand.New(rand.NewPCG(1, 6)), 0, time.Time{}
		for spent < quota && (refused.IsZero() || time.Since(refused) < 3*time.Second) {
			r := gates[random.IntN(len(gates))].ask(question{text: s.text, cost: 1})
			switch {
			case r.code() == verify.Valid:
				spent, refused = spent+1, time.Time{}
			case refused.IsZero():
				refused = time.Now()
			}
			time.Sleep(5 * time.Millisecond)
		}
		if spent != quota {
			t.Errorf("%d of %d were spent before all gates refused for 3 s", spent, quota)
		}
		time.Sleep(3 * time.Second)
		for _, g := range gates {
			if r := g.ask(question{text: s.text, cost: 1}); r.code() != verify.QuotaExceeded {
				t.Errorf("afterwards gate %s answers %v", g.name, r)
			}
		}
	})
}

// A limit that is lowered counts at gates within a second: what a gate has borrowed under
// the one before is void.
func TestALoweredLimitCountsAtGates(t *testing.T) {
	for what, c := range map[string]struct {
		role, lower map[string]any
		want        verify.Code
		spare       int // still valid under the new one
	}{
		"rate":  {map[string]any{"rate_limit": 100000, "rate_limit_period": 3600}, map[string]any{"rate_limit": 1, "rate_limit_period": 3600}, verify.RateLimited, 1},
		"quota": {map[string]any{"quota": 100000}, map[string]any{"quota": 1}, verify.QuotaExceeded, 0},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, c.role)
				s.id, s.text = s.issue(nil)
				h := newHammer(t, s.g, question{text: s.text, cost: 1}, 10*time.Millisecond)
				time.Sleep(5 * time.Second)
				s.m.Must("keys/"+s.id, c.lower)
				lowered := time.Now()
				time.Sleep(4 * time.Second)
				h.stop()
				seen := h.between(lowered.Add(soon), time.Now())
				if seen[string(c.want)] == 0 || seen["valid"] > c.spare {
					t.Errorf("a second after its %s was lowered the gate answers %v", what, seen)
				}
				if before := h.between(lowered.Add(-2*time.Second), lowered); before["valid"] < 190 {
					t.Errorf("before that it answers %v", before)
				}
			})
		})
	}
}
