package edge

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// hardware is a machine that can be suspended.
type hardware struct {
	born time.Time
	mu   sync.Mutex
	nap  time.Duration
}

func (h *hardware) Monotonic() time.Duration { return time.Since(h.born) }

func (h *hardware) Boottime() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.born) + h.nap
}

func (h *hardware) sleep(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.nap += d
}

// world is a mirror that runs over a vault.
type world struct {
	*Mirror
	*vault
	t        *testing.T
	hardware *hardware
	seen     *observed
	end      func()
}

type observed struct {
	mu  sync.Mutex
	all []verify.Observation
}

func (o *observed) Observe(of verify.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, of)
}

func (o *observed) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)
}

// in runs a test with a mirror that is ready.
func in(t *testing.T, s Settings, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{vault: newVault(t), t: t, hardware: &hardware{born: time.Now()}, seen: &observed{}}
		s.Gate, s.Run, s.Observer = "edge-1", "run", w.seen
		mirror := New(w.vault, s, w.hardware)
		w.Mirror = mirror // which a test may exchange
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = mirror.Run(ctx) }()
		w.end = func() { cancel(); <-ended }
		defer w.end()
		time.Sleep(10 * time.Millisecond)
		test(w)
	})
}

func (w *world) verify(text string, change ...func(q *Question)) (Answer, error) {
	q := Question{Request: verify.Request{Key: apikey.Present(text), Role: "web", Cost: 1}}
	for _, c := range change {
		c(&q)
	}
	return w.Mirror.Verify(w.t.Context(), q)
}

// want wants this code, or this error's word.
func (w *world) want(text, want string, change ...func(q *Question)) Answer {
	w.t.Helper()
	a, err := w.verify(text, change...)
	got := string(a.Code)
	if err != nil {
		got = err.Error()
	}
	if got != want {
		w.t.Fatalf("at %s it answers %s, want %s (%+v)", time.Since(w.start), got, want, w.Status())
	}
	return a
}

func (w *world) wantCalls(want int) {
	w.t.Helper()
	if got := w.vault.calls(); len(got) != want {
		w.t.Errorf("vault was asked %d times, want %d: %s", len(got), want, strconv.Quote(strings.Join(describe(got), " ")))
	}
}

func describe(asks []wire.Ask) (all []string) {
	for _, a := range asks {
		all = append(all, strconv.Itoa(len(a.Keys))+" texts,", strings.Join(slices.Concat(a.KeyIDs, a.Roles, a.Owners), ","))
	}
	return all
}
