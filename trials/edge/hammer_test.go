package edge_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// hammer asks a gate about one thing all the time, every so often, and remembers what
// it was told.
type hammer struct {
	g       *gate
	stop    func()
	mu      sync.Mutex
	replies []reply
}

func newHammer(t *testing.T, g *gate, q question, every time.Duration) *hammer {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h, ended := &hammer{g: g}, make(chan struct{})
	go func() {
		defer close(ended)
		var open sync.WaitGroup
		defer open.Wait()
		for ; ctx.Err() == nil; sleep(ctx, every) {
			open.Go(func() {
				r := g.ask(q)
				h.mu.Lock()
				defer h.mu.Unlock()
				h.replies = append(h.replies, r)
			})
		}
	}()
	h.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(h.stop)
	return h
}

// ended stops it and tells when a question with this code was asked last; the zero time
// if none was.
func (h *hammer) last(code verify.Code) (asked time.Time) {
	for _, r := range h.all() {
		if r.code() == code && r.from.After(asked) {
			asked = r.from
		}
	}
	return asked
}

// all are the replies to what was asked until now.
func (h *hammer) all() []reply {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.replies[:len(h.replies):len(h.replies)]
}

// between are how many of the replies to what was asked in a time had which code.
func (h *hammer) between(from, to time.Time) map[string]int {
	seen := map[string]int{}
	for _, r := range h.all() {
		if !r.from.Before(from) && r.from.Before(to) {
			seen[r.String()]++
		}
	}
	return seen
}

// only wants all answers to what was asked in a time to be one.
func (h *hammer) only(t *testing.T, what string, from, to time.Time, want string) {
	t.Helper()
	seen := h.between(from, to)
	if len(seen) != 1 || seen[want] == 0 {
		t.Errorf("%s: from %s to %s gate %s answers %v, and not only %s", what, clockTime(from), clockTime(to), h.g.name, seen, want)
	}
}

// never wants a code not to have been answered to what was asked from a time on.
func (h *hammer) never(t *testing.T, what string, code verify.Code, from time.Time) {
	t.Helper()
	for _, r := range h.all() {
		if r.code() == code && !r.from.Before(from) {
			t.Errorf("%s: gate %s answers %s at %s, %v too late", what, h.g.name, code, clockTime(r.from), r.from.Sub(from))
			return
		}
	}
}

// scene is a vault with one role, a gate and a key that it knows.
type scene struct {
	*vault
	g        *gate
	id, text string
}

func newScene(t *testing.T, role map[string]any, change ...func(*edge.Settings)) *scene {
	t.Helper()
	s := &scene{vault: newVault(t)}
	data := map[string]any{"generate_lease": false, "ttl": "20d", "allowed_scopes": "read:*", "default_scopes": "read:*"}
	for name, value := range role {
		data[name] = value
	}
	s.m.Must("roles/web", data)
	s.id, s.text = s.issue(nil)
	of := settings("gate")
	for _, c := range change {
		c(&of)
	}
	s.g = newGate(t, s.vault, 1, of)
	s.g.net.set(fine)
	ready(t, s.g)
	if r := s.g.ask(question{text: s.text}); r.code() != verify.Valid {
		t.Fatalf("a good key is %v", r)
	}
	return s
}

func (v *vault) issue(data map[string]any) (id, text string) {
	v.m.T.Helper()
	a := v.m.Must("issue/web", data)
	return a.Str("key_id"), a.Str("key")
}

// is wants a gate to answer a code now.
func (g *gate) is(t *testing.T, text string, want verify.Code) {
	t.Helper()
	if r := g.ask(question{text: text}); r.code() != want {
		t.Errorf("gate %s answers %v, and not %s", g.name, r, want)
	}
}

// closed wants a gate to answer no verdict now.
func (g *gate) closed(t *testing.T, text string) {
	t.Helper()
	if r := g.ask(question{text: text}); r.err == nil {
		t.Errorf("gate %s answers %v, and knows nothing", g.name, r)
	}
}

func name(prefix string, i int) string { return fmt.Sprint(prefix, "-", i) }
