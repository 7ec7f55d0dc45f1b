package edge_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// machine has the clocks of a gate's machine. While it sleeps, one of them stands.
type machine struct {
	born   time.Time
	slept  atomic.Int64
	asleep atomic.Int64 // since when, by what has passed; 0 is awake
}

func (m *machine) Boottime() time.Duration { return time.Since(m.born) }

func (m *machine) Monotonic() time.Duration {
	now := int64(time.Since(m.born))
	if since := m.asleep.Load(); since != 0 {
		now = since
	}
	return time.Duration(now - m.slept.Load())
}

// sleep suspends the machine for so long.
func (m *machine) sleep(d time.Duration) {
	m.asleep.Store(int64(time.Since(m.born)))
	time.Sleep(d)
	m.slept.Add(int64(d))
	m.asleep.Store(0)
}

// gate is a mirror behind a network of its own, on a machine of its own.
type gate struct {
	*edge.Mirror
	name    string
	net     *network
	machine *machine
	bound   time.Duration // max_staleness and stale_grace
	leave   func()        // an orderly end
}

// settings of a gate in the tests: what must be written, and little enough for tests.
func settings(name string) edge.Settings {
	return edge.Settings{Gate: name, Run: name + "-run", MaxStaleness: 5 * time.Second, RateShare: 1, Size: 4096}
}

// newGate starts a gate, which learns until the test ends.
func newGate(t *testing.T, up *vault, seed uint64, s edge.Settings) *gate {
	t.Helper()
	return newGateIn(t, weather{}, up, seed, s)
}

// newGateIn is newGate in a weather that its first call meets already.
func newGateIn(t *testing.T, w weather, up *vault, seed uint64, s edge.Settings) *gate {
	t.Helper()
	g := &gate{name: s.Gate, net: newNetwork(up, seed), machine: &machine{born: time.Now()}, bound: s.MaxStaleness + s.StaleGrace}
	g.net.set(w)
	g.Mirror = edge.New(g.net, s, g.machine)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := g.Run(ctx); err != nil {
			t.Logf("gate %s ended with %v", g.name, err)
		}
	}()
	g.leave = func() { cancel(); <-ended }
	t.Cleanup(func() {
		g.net.set(fine)
		g.leave()
		time.Sleep(6 * time.Second) // an answer about quotas is waited for beyond the end
	})
	return g
}

// ready waits for a gate's first answer.
func ready(t *testing.T, gates ...*gate) {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	for _, g := range gates {
		if g.net.unbroken().IsZero() {
			t.Fatalf("gate %s heard nothing within a second", g.name)
		}
	}
}

// question is what is asked of gates and of the engine.
type question struct {
	text   string
	role   string
	scopes string // one, or none
	ip     string
	cost   int64
}

func (q question) String() string {
	k, err := apikey.Parse(apikey.Present(q.text))
	what := fmt.Sprintf("no key (%d letters)", len(q.text))
	if err == nil {
		what = fmt.Sprintf("%s version %d", k.ID, k.Version)
	}
	return fmt.Sprintf("%s role=%q scopes=%q ip=%q cost=%d", what, q.role, q.scopes, q.ip, q.cost)
}

func (q question) request(named bool) (r verify.Request) {
	r = verify.Request{Key: apikey.Present(q.text), Role: q.role, ScopesNamed: named, Cost: q.cost}
	if q.scopes != "" {
		r.Scopes = []string{q.scopes}
	}
	if q.ip != "" {
		r.ClientIP = netip.MustParseAddr(q.ip)
	}
	return r
}

// reply is what a gate answered, and from when to when that took.
type reply struct {
	verify.Decision
	stale    time.Duration
	err      error
	from, to time.Time
}

// code is that of the decision; "" is none.
func (r reply) code() verify.Code {
	if r.err != nil {
		return ""
	}
	return r.Code
}

func (r reply) String() string {
	if r.err != nil {
		return "error " + r.err.Error()
	}
	return string(r.Code)
}

// ask asks a gate, and says which scopes are needed, be it none.
func (g *gate) ask(q question) (r reply) { return g.askAs(q, true) }

func (g *gate) askAs(q question, named bool) (r reply) {
	r.from = time.Now()
	answer, err := g.Verify(context.Background(), edge.Question{Request: q.request(named)})
	r.Decision, r.stale, r.err, r.to = answer.Decision, answer.Stale, err, time.Now()
	return r
}

// sibling is a text that names the same version of the same key, and has another secret.
func sibling(t *testing.T, tagKey *apikey.TagKey, text string) string {
	t.Helper()
	k, err := apikey.Parse(apikey.Present(text))
	if err != nil {
		t.Fatal(err)
	}
	other, err := apikey.Generate(rand.Reader, tagKey, k.Prefix, k.ID, k.Version)
	if err != nil {
		t.Fatal(err)
	}
	return other.Reveal()
}
