package edge_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// TestGatesKeepTheirPromisesThroughRandomHistories prints what fails with its seed. For
// one seed set EDGE_SEED, for more EDGE_SEEDS, for longer ones EDGE_STEPS.
func TestGatesKeepTheirPromisesThroughRandomHistories(t *testing.T) {
	first, seeds, steps := fromEnv("EDGE_SEED", 1), fromEnv("EDGE_SEEDS", 6), fromEnv("EDGE_STEPS", 90)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(t, uint64(seed), steps) })
		})
	}
}

func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// walk is one random history with gates beside it, and questions at them all the time.
type walk struct {
	*judge
	history *history
	gates   []*gate
	rand    *rand.Rand

	forger *apikey.TagKey

	asking sync.Mutex
	open   []question
	hot    []question // about what was changed last
}

func play(t *testing.T, seed uint64, steps int) {
	v := newVault(t)
	w := &walk{judge: newJudge(t, v), rand: rand.New(rand.NewPCG(seed, 1))}
	w.history = &history{v: v, rand: rand.New(rand.NewPCG(seed, 2)), follow: w.questions, unsure: w.unsure, around: func(c func()) { w.around(t, c) }}
	w.forger = v.m.TagKey()
	defer w.tell(seed)
	w.history.begin("web", "svc")
	for i := range 3 {
		s := settings(fmt.Sprint("gate-", i))
		if i == 2 {
			s.StaleGrace = 4 * time.Second
		}
		g := newGate(t, v, seed*10+uint64(i), s)
		g.net.set(fine)
		w.gates = append(w.gates, g)
	}
	ready(t, w.gates...)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for i, g := range w.gates {
		asking.Go(func() { w.keepAsking(ctx, g, rand.New(rand.NewPCG(seed, 10+uint64(i)))) })
	}
	for range steps {
		w.history.step()
		w.heat()
		w.turn()
		time.Sleep(time.Duration(w.rand.Int64N(int64(1500 * time.Millisecond))))
	}
	stop()
	asking.Wait()
}

// heat has gates asked above all about what was changed last.
func (w *walk) heat() {
	k := w.history.last
	if k == nil {
		return
	}
	w.asking.Lock()
	defer w.asking.Unlock()
	w.hot = w.hot[:0]
	for _, q := range w.open {
		if slices.Contains(k.texts, q.text) {
			w.hot = append(w.hot, q)
		}
	}
}

// turn changes the weather, the storage or the process now and then.
func (w *walk) turn() {
	g := w.gates[w.rand.IntN(len(w.gates))]
	switch w.rand.IntN(20) {
	case 0:
		g.net.set(weather{delay: 2 * time.Second, lost: 100})
	case 1:
		g.net.set(weather{cut: true})
	case 2:
		g.net.set(weather{delay: 50 * time.Millisecond, stale: 300})
	case 3, 4, 5, 6:
		g.net.set(fine)
	case 7:
		w.storm()
	case 8:
		w.restart()
	}
}

// storm is trouble with storage for a while, with what is tried in it.
func (w *walk) storm() {
	w.trouble(true)
	w.history.trouble = true
	method := []string{"put", "get", "delete"}[w.rand.IntN(3)]
	hook := memory.Before(memory.On(method, "", memory.ErrStorage))
	if w.rand.IntN(2) == 0 {
		hook = memory.After(memory.On(method, "", memory.ErrStorage))
	}
	w.v.m.Storage.Intercept(hook)
	for range 3 {
		w.history.step()
		time.Sleep(time.Duration(w.rand.Int64N(int64(500 * time.Millisecond))))
	}
	w.v.m.Storage.Intercept(nil)
	w.history.trouble = false
	w.trouble(false)
	w.look(w.t)
}

// restart is the plugin killed, and what happened right before.
func (w *walk) restart() {
	w.history.step()
	w.around(w.t, w.v.restart)
	w.history.done = append(w.history.done, clockTime(time.Now())+" restart")
}

// questions are what is asked about a text from now on, beside what is no key.
func (w *walk) questions(text, role string) {
	w.asking.Lock()
	defer w.asking.Unlock()
	qs := []question{
		{text: text, cost: 1},
		{text: text, scopes: "read:a", ip: "10.1.2.3"},
		{text: text, role: role, scopes: "read:b", ip: "192.0.2.7"},
	}
	if w.rand.IntN(6) == 0 {
		qs = append(qs, question{text: sibling(w.t, w.forger, text)}, question{text: text, role: "svc"}, question{text: text[:len(text)-1]})
	}
	w.open = append(w.open, qs...)
	w.open = w.open[max(0, len(w.open)-90):]
	w.follow(w.t, qs...)
	w.forget(90)
}

// keepAsking asks a gate at random, and again what it was asked before.
func (w *walk) keepAsking(ctx context.Context, g *gate, random *rand.Rand) {
	for sleep(ctx, time.Duration(random.Int64N(int64(80*time.Millisecond)))) == nil {
		w.asking.Lock()
		var q question
		from := w.open
		if len(w.hot) > 0 && random.IntN(3) > 0 {
			from = w.hot
		}
		if n := len(from); n > 0 {
			q = from[random.IntN(n)]
		}
		w.asking.Unlock()
		if q.text != "" {
			w.ask(g, q)
		}
	}
}

// tell prints what was seen, and what led to a failure.
func (w *walk) tell(seed uint64) {
	w.t.Logf("seed %d: worst lag behind an unbroken feed %v, behind any %v; %v", seed, w.fine, w.rough, w.replies)
	if w.t.Failed() {
		done := w.history.done
		w.t.Logf("the last of what was done:\n%s", strings.Join(done[max(0, len(done)-25):], "\n"))
	}
}
