package gate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// quotaMount is a mount with a key of a quota, and its line.
func quotaMount(t *testing.T, quota int64, period record.Seconds) (m *mount.Mount, text string, line limit.Line) {
	m = mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false})
	k := m.Must("issue/web", map[string]any{"quota": quota, "quota_period": int64(period)})
	limits := record.Limits{RateLimitPeriod: 1, Quota: quota, QuotaPeriod: period}
	return m, k.Str("key"), limit.Line{ID: k.Str("key_id"), Role: "web", Created: record.At(time.Now()), Limits: limits}
}

func every(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// largest is the most that a gate holds of a quota: a block.
func largest(quota int64) int64 { return min(max(1, quota/32), 4096) }

// TestTheEndOfAQuotaOverFiveGates: all of it is spent by five gates, one of which is
// killed somewhere on the way. Never more, at most the killed one's block less, and
// whoever asks for the last unit finds it within two seconds.
func TestTheEndOfAQuotaOverFiveGates(t *testing.T) {
	t.Parallel()
	for run := range 100 {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(run)))
			quota := 20 + random.Int64N(500)
			m, _, line := quotaMount(t, quota, 0)
			var all []*gate.Spender
			for i := range 5 {
				g := gate.SpenderOf(gate.Of(m, fmt.Sprintf("edge-%d", i)), every(100*time.Millisecond))
				g.Ahead = time.Duration(random.IntN(5)) * time.Millisecond
				all = append(all, g)
			}
			killed, at := random.IntN(5), random.Int64N(quota)
			var spent, lost atomic.Int64
			var clients sync.WaitGroup
			kill := sync.OnceFunc(func() {
				lost.Store(all[killed].Kill())
			})
			for i, g := range all {
				pace := time.Duration(1+random.IntN(20)) * time.Millisecond
				clients.Go(func() {
					refused := time.Time{} // since when, without a break
					for refused.IsZero() || time.Since(refused) < 3*time.Second {
						v, err := g.Take(line, 1)
						switch {
						case i == killed && spent.Load() >= at:
							if err == nil && v.Outcome == limit.Allowed {
								spent.Add(1)
							}
							kill()
							return
						case err != nil:
							t.Errorf("run %d: a gate hears %v", run, err)
							return
						case v.Outcome != limit.Allowed:
							if refused.IsZero() {
								refused = time.Now()
							}
						default:
							spent.Add(1)
							if !refused.IsZero() && time.Since(refused) > 2*time.Second {
								t.Errorf("run %d: a unit was found after %s", run, time.Since(refused))
							}
							refused = time.Time{}
						}
						time.Sleep(pace)
					}
				})
			}
			clients.Wait()
			if lost.Load() > largest(quota) {
				t.Errorf("run %d: the gate that was killed had %d of %d", run, lost.Load(), quota)
			}
			if spent.Load()+lost.Load() != quota {
				t.Errorf("run %d: of %d there were %d spent and %d lost", run, quota, spent.Load(), lost.Load())
			}
			for i, g := range all {
				if i != killed {
					if err := g.Leave(); err != nil {
						t.Error(err)
					}
				}
			}
			if got := m.Reserved(line.ID); int64(got) != quota {
				t.Errorf("run %d: of %d there are %d reserved", run, quota, got)
			}
		})
	}
}

// TestUnitsThatAnotherGateHoldsAreFound: a gate that uses its block slowly, so that it
// never goes back by itself, gives it back to who looks for it.
func TestUnitsThatAnotherGateHoldsAreFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const quota = 3200
		m, text, line := quotaMount(t, quota, 0)
		holder := gate.SpenderOf(gate.Of(m, "edge-1"), every(time.Second))
		seeker := gate.SpenderOf(gate.Of(m, "edge-2"), every(time.Second))
		for range 150 {
			pass(t, holder, line)
			time.Sleep(10 * time.Millisecond)
		}
		if holder.Out() < 10 {
			t.Fatalf("the holder has %d units", holder.Out())
		}
		spent := 150
		for m.Code(text) == "valid" { // the engine itself looks for them, too
			spent++
		}
		begun := time.Now()
		for n := 1; spent < quota && time.Since(begun) < 2*time.Second; n++ {
			time.Sleep(50 * time.Millisecond)
			if v, err := seeker.Take(line, 1); err == nil && v.Outcome == limit.Allowed {
				spent, begun = spent+1, time.Now()
			}
			if n%20 == 0 { // so that its block is never idle
				if v, err := holder.Take(line, 1); err == nil && v.Outcome == limit.Allowed {
					spent++
				}
			}
		}
		if spent != quota {
			t.Errorf("of %d there were %d found", quota, spent)
		}
		for _, g := range []*gate.Spender{holder, seeker} {
			if err := g.Leave(); err != nil {
				t.Error(err)
			}
		}
	})
}

// pass takes one unit.
func pass(t *testing.T, g *gate.Spender, line limit.Line) {
	t.Helper()
	if v, err := g.Take(line, 1); err != nil || v.Outcome != limit.Allowed {
		t.Fatalf("a gate says %+v, %v", v, err)
	}
}

// TestNoQuotaIsOverspentWhateverHappens: gates come, go and are killed, calls are lost or
// run twice, the engine ends and begins anew, quotas are raised and lowered, windows pass.
// No window gives more than its quota was, and what is not lost with somebody is there
// in the end.
func TestNoQuotaIsOverspentWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range uint64(16) {
		synctest.Test(t, func(t *testing.T) { newHistory(t, seed).run() })
	}
}

type history struct {
	*testing.T
	*rand.Rand
	seed   uint64
	m      *mount.Mount
	text   string
	line   limit.Line // as the engine has it
	gates  []*gate.Spender
	known  map[*gate.Spender]limit.Line // as the gate has it
	born   int
	spent  map[record.Time]int64 // by the beginning of the window
	most   map[record.Time]int64
	lost   int64
	serial sync.Mutex
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{T: t, Rand: rand.New(rand.NewPCG(7, seed)), seed: seed, known: map[*gate.Spender]limit.Line{}}
	h.spent, h.most = map[record.Time]int64{}, map[record.Time]int64{}
	period := []record.Seconds{0, 0, 20, 90}[h.IntN(4)]
	h.m, h.text, h.line = quotaMount(t, 1+h.Int64N(400), period)
	return h
}

func (h *history) run() {
	for range 3 {
		h.join()
	}
	for range 200 {
		h.step()
	}
	for len(h.gates) > 0 {
		h.leave(0)
	}
	time.Sleep(2 * time.Minute) // whatever is out has ended
	for h.m.Code(h.text) == "valid" {
		h.note(1)
	}
	at := h.window()
	if h.line.Limits.QuotaPeriod == 0 && h.spent[at]+h.lost < h.line.Limits.Quota {
		h.Errorf("seed %d: of %d there were %d spent and at most %d lost", h.seed, h.line.Limits.Quota, h.spent[at], h.lost)
	}
}

func (h *history) step() {
	defer h.note(0)
	switch n := h.IntN(100); {
	case n < 55 && len(h.gates) > 0:
		h.crowd(h.gates[h.IntN(len(h.gates))])
	case n < 65:
		if h.m.Code(h.text) == "valid" {
			h.note(1)
		}
	case n < 85:
		time.Sleep(time.Duration(h.IntN(4000)) * time.Millisecond)
	case n < 88:
		time.Sleep(time.Duration(h.IntN(40)) * time.Second)
	case n < 91:
		h.join()
	case n < 93 && len(h.gates) > 0:
		h.leave(h.IntN(len(h.gates)))
	case n < 95 && len(h.gates) > 0:
		i := h.IntN(len(h.gates))
		h.lost += h.gates[i].Kill() + h.gates[i].LostSoFar()
		h.gates = append(h.gates[:i], h.gates[i+1:]...)
	case n < 97:
		h.restart()
	default:
		h.change()
	}
}

// crowd has some clients ask at once.
func (h *history) crowd(g *gate.Spender) {
	line, cost := h.known[g], 1+h.Int64N(3)
	var clients sync.WaitGroup
	for range 1 + h.IntN(12) {
		clients.Go(func() {
			if v, err := g.Take(line, cost); err == nil && v.Outcome == limit.Allowed {
				h.note(cost)
			}
		})
	}
	clients.Wait()
}

// join begins a gate, some of whose calls are lost.
func (h *history) join() {
	if len(h.gates) == 5 {
		return
	}
	h.born++
	random := rand.New(rand.NewPCG(h.seed, uint64(h.born)))
	var using sync.Mutex
	roll := func(n int) int {
		using.Lock()
		defer using.Unlock()
		return random.IntN(n)
	}
	g := gate.SpenderOf(gate.Of(h.m, fmt.Sprintf("edge-%d", h.born)), func() time.Duration { return time.Duration(1+roll(1000)) * time.Millisecond })
	g.Lose = func() (gate.Loss, time.Duration) {
		loss := gate.None
		if roll(20) == 0 {
			loss = gate.Loss(1 + roll(3))
		}
		return loss, time.Duration(1+roll(50)) * time.Millisecond
	}
	g.Ahead = time.Duration(h.IntN(200)) * time.Millisecond
	h.gates, h.known[g] = append(h.gates, g), h.line
}

func (h *history) leave(i int) {
	g := h.gates[i]
	h.gates = append(h.gates[:i], h.gates[i+1:]...)
	if err := g.Leave(); err != nil {
		h.Error(err)
	}
	h.lost += g.LostSoFar()
}

// restart ends the engine, in order or not. What gates hold then they spend, and cannot
// give back.
func (h *history) restart() {
	synctest.Wait() // calls are done, or on their way
	for _, g := range h.gates {
		h.lost += g.Out()
		g.CutOff.Store(true)
		defer g.CutOff.Store(false)
	}
	if h.IntN(2) == 0 {
		h.lost += h.line.Limits.Quota/32 + 1
		h.m.Storage.Intercept(func(context.Context, memory.Call, func()) error { return errors.New("power cut") })
	}
	h.m.Backend.Cleanup(context.Background())
	h.m.Storage.Intercept(nil)
	h.m.Open()
}

// change raises or lowers the quota. Gates hear of it later.
func (h *history) change() {
	h.line.Limits.Quota = max(1, h.line.Limits.Quota+h.Int64N(100)-50)
	h.m.Must("keys/"+h.line.ID, map[string]any{"quota": h.line.Limits.Quota})
	h.note(0)
	for _, g := range h.gates {
		if h.IntN(3) > 0 {
			h.known[g] = h.line
		}
	}
}

func (h *history) window() record.Time {
	return h.line.Limits.WindowStart(h.line.Created, record.At(time.Now()))
}

// note takes down units that passed just now.
func (h *history) note(units int64) {
	h.serial.Lock()
	defer h.serial.Unlock()
	at := h.window()
	h.spent[at] += units
	h.most[at] = max(h.most[at], h.line.Limits.Quota)
	if h.spent[at] > h.most[at] {
		h.Fatalf("seed %d: of %d there are %d spent", h.seed, h.most[at], h.spent[at])
	}
}
