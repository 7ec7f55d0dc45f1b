package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// otherRate is how many other questions there are a second, at all gates together.
	otherRate = 2000
	// hammerRate is how often a second a key is asked about, at all gates together.
	hammerRate = 1000
	hammers    = 4 // who do so, at least
)

// besidePlan is how many gates there are, and how many keys are revoked beside them, so
// many at a time. Each gate that is asked about a key that was revoked asks Vault about
// it once more: with a hundred gates several keys at a time would be more than Vault and
// the gates can do on two cores.
type besidePlan struct{ gates, keys, lanes int }

// revoked measures when the last of some gates answers 200 for a key, after Vault has
// answered its revocation. Each gate is asked by somebody of its own, so that one that
// is slow holds up the questions to no other, until it refuses. A gate's last 200 is
// known to the time between two questions; when all refuse is the time by which it was
// over in any case. At the end each is asked about all keys once more.
func revoked(t *runner, p gatePlan) {
	out := newListing(fmt.Sprintf("Revocations; each key is asked about %d times a second at all gates together, beside %d other questions a second; ms after the answer of Vault", hammerRate, otherRate),
		slices.Concat([]string{"gates", "revocations", "at a time", "last 200: p50", "p99", "max", "all refuse: p50", "p99", "max", "200 after 1 s", "503", "a revocation, p50", "others not 200", "seconds"}, metered)...)
	defer out.Flush()
	for _, of := range p.beside {
		b := newGateBed(t, p)
		holders := b.crowd(of.keys + 500)
		ended, others := holders[:of.keys], holders[of.keys:]
		g := b.start(of.gates)
		g.learn(holders, http.StatusOK)
		stop := pour(t, otherRate, max(16, of.gates), g.addresses(), questions(others))
		m, began := g.meter(), time.Now()
		e := b.end(g, ended, of.lanes)
		took, cores := time.Since(began), m.cores()
		load := stop()
		g.learn(ended, http.StatusUnauthorized) // none comes back
		out.line(slices.Concat([]string{fmt.Sprint(of.gates), fmt.Sprint(of.keys), fmt.Sprint(of.lanes)}, e.columns(), []string{fmt.Sprint(load.other(http.StatusOK)), short(took.Seconds())}, cores)...)
		out.Flush()
		g.end()
		b.server.Stop(t)
	}
}

// endings are how long after the answer to its revocation a key was asked about for
// the last time and was good, when all gates had refused it, and how long the
// revocation took.
type endings struct {
	last, refused, took []time.Duration
	undecided           atomic.Int64 // 503s meanwhile
}

func (e *endings) columns() []string {
	late := 0
	for _, last := range e.last {
		if last > time.Second {
			late++
		}
	}
	return slices.Concat(quantiles(e.last), quantiles(e.refused), []string{fmt.Sprint(late), fmt.Sprint(e.undecided.Load())}, quantiles(e.took)[:1])
}

// end ends keys, some at a time.
func (b *gateBed) end(g *beside, holders []holder, lanes int) *endings {
	all := new(endings)
	var mu sync.Mutex
	keys := make([]key, len(holders))
	for i, h := range holders {
		keys[i] = key{h.Text, h.ID}
	}
	free := make(chan *hammer, lanes)
	for range lanes {
		free <- g.hammer(&all.undecided)
	}
	root := client{b.client.address, b.server.Token}
	b.eachOn(lanes, keys, func(l *line, k *key) error {
		h := <-free
		defer func() { free <- h }()
		wait := h.strike(question(k.Text, webFrom))
		time.Sleep(30*time.Millisecond + rand.N(20*time.Millisecond))
		c, began := contender{name: "revoke"}, time.Now()
		if err := c.call(l, root.request(http.MethodPost, gateMount+"/revoke/"+k.ID, nil)); err != nil {
			return err
		}
		answered := time.Now()
		last, refused, err := wait()
		mu.Lock()
		defer mu.Unlock()
		all.last = append(all.last, max(0, last.Sub(answered)))
		all.refused = append(all.refused, max(0, refused.Sub(answered)))
		all.took = append(all.took, answered.Sub(began))
		return err
	})
	for range lanes {
		(<-free).leave()
	}
	return all
}

// hammer asks about one key at a time: each gate by one connection at least.
type hammer struct {
	at        []*brief
	every     time.Duration
	undecided *atomic.Int64 // answers that are none, of all hammers
}

func (g *beside) hammer(undecided *atomic.Int64) *hammer {
	n := max(hammers, len(g.all))
	h := &hammer{every: time.Duration(n) * time.Second / hammerRate, undecided: undecided}
	for i := range n {
		a, err := dialBrief(g.all[i%len(g.all)].Address)
		g.bed.t.must(err)
		h.at = append(h.at, a)
	}
	return h
}

func (h *hammer) leave() {
	for _, a := range h.at {
		a.Close()
	}
}

// strike asks until all refuse, and answers when the last question was sent that was
// answered 200, and when the last of them had refused.
func (h *hammer) strike(asked []byte) (wait func() (last, refused time.Time, err error)) {
	var group sync.WaitGroup
	last, refused, failed := make([]time.Time, len(h.at)), make([]time.Time, len(h.at)), make([]error, len(h.at))
	for i, a := range h.at {
		group.Go(func() {
			time.Sleep(h.every * time.Duration(i) / time.Duration(len(h.at)))
			tick := time.NewTicker(h.every)
			defer tick.Stop()
			for ; failed[i] == nil && refused[i].IsZero(); <-tick.C {
				sent := time.Now()
				status, err := a.ask(asked)
				switch {
				case err != nil:
					failed[i] = err
				case status == http.StatusOK:
					last[i] = sent
				case status == http.StatusUnauthorized:
					refused[i] = time.Now()
				case status == http.StatusServiceUnavailable: // the gate has dropped it, and asks Vault anew
					h.undecided.Add(1)
				default:
					failed[i] = fmt.Errorf("a key is answered %d", status)
				}
			}
		})
	}
	return func() (time.Time, time.Time, error) {
		group.Wait()
		return slices.MaxFunc(last, time.Time.Compare), slices.MaxFunc(refused, time.Time.Compare), errors.Join(failed...)
	}
}
