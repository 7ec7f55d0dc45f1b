package edge_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// judge holds what gates answer against what the engine said, by what a gate promises.
type judge struct {
	*oracle
	t *testing.T

	mu       sync.Mutex
	fine     time.Duration // the worst lag behind an unbroken feed
	rough    time.Duration // behind any other
	replies  map[string]int
	active   map[string]bool // key_ids of which a gate has let a pending version take effect
	doubted  map[string]bool // key_ids of which nobody knows what storage says
	troubled atomic.Int64    // storage trouble now, or until when it was, by Unix milliseconds
}

func newJudge(t *testing.T, v *vault) *judge {
	return &judge{oracle: newOracle(v), t: t, replies: map[string]int{}, active: map[string]bool{}, doubted: map[string]bool{}}
}

// soon is how soon a gate behind an unbroken feed enforces what narrows a key.
const soon = time.Second

// ask asks a gate and judges the answer.
func (j *judge) ask(g *gate, q question) {
	r := g.ask(q)
	key, err := apikey.Parse(apikey.Present(q.text))
	if err != nil {
		if r.code() != verify.Invalid {
			j.fail(g, q, r, "what cannot be a key by its form is not invalid")
		}
		return
	}
	j.count(r)
	if r.err != nil {
		j.silent(g, q, r)
		return
	}
	if r.Code == verify.Valid && q.cost > 0 {
		j.used(key.ID)
	}
	j.fresh(g, q, r)
	j.look(j.t, q)
	if r.Code == verify.Valid && !g.net.unbroken().IsZero() && j.calm() && j.byClock(q, r.Code, r.from) {
		j.fail(g, q, r, "a clock has ended it, and it is valid")
		return
	}
	if lag, ok := j.allowed(g, q, r); !ok && !j.early(g, q, r, key.ID) {
		j.fail(g, q, r, fmt.Sprintf("that was so %v ago, if ever", lag))
	}
}

// silent wants every error to be a 503, and none without a reason.
func (j *judge) silent(g *gate, q question, r reply) {
	if trouble := edge.Trouble(""); !errors.As(r.err, &trouble) {
		j.fail(g, q, r, "it is no 503")
	}
	if whole := g.net.unbroken(); !whole.IsZero() && r.from.Sub(whole) > 3*time.Second && j.calm() {
		j.fail(g, q, r, "nothing was wrong")
	}
}

// fresh wants no answer from what is too old. A refusal that Vault was asked about is
// not from memory.
func (j *judge) fresh(g *gate, q question, r reply) {
	composed, _ := g.net.known()
	if age := r.to.Sub(composed); age > g.bound && (r.Code == verify.Valid || r.from.Equal(r.to)) {
		j.fail(g, q, r, fmt.Sprintf("what it knows is %v old", age))
	}
}

// allowed tells whether a code was the engine's recently enough.
func (j *judge) allowed(g *gate, q question, r reply) (lag time.Duration, ok bool) {
	lag, ever := j.lag(q, r.Code, r.from)
	bound, whole := g.bound, g.net.unbroken()
	ended := r.from.Add(-lag)
	unbroken := !whole.IsZero() && !ended.Before(whole) && j.calm()
	if unbroken {
		bound = soon
	}
	if !j.calm() { // nobody knows what storage holds
		return lag, ever || !j.asked(q) || j.real(q) && r.Code != verify.Invalid || j.doubts(q)
	}
	if !ever || lag > bound {
		return lag, r.Code == verify.Expired && !unbroken // who is cut off hears of no renewal
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.Code != verify.Valid {
		return lag, true
	}
	if unbroken {
		j.fine = max(j.fine, lag)
	} else {
		j.rough = max(j.rough, lag)
	}
	return lag, true
}

// early tells whether the engine comes to say the same within a round trip, or as soon as
// it hears of the use of a version that waited for one. (Half of a round trip is what a
// gate is early by where the way there takes as long as the way back.)
func (j *judge) early(g *gate, q question, r reply, id string) bool {
	j.mu.Lock()
	active := j.active[id]
	j.mu.Unlock()
	if !refusal(r.Code) {
		return false
	}
	if active && r.Code == verify.Superseded {
		return true
	}
	time.Sleep(g.net.round() + 2*time.Millisecond)
	j.look(j.t, q)
	_, ok := j.lag(q, r.Code, r.from)
	return ok
}

func (j *judge) used(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.active[id] = true
}

// unsure takes down that nobody knows what becomes of a key in the trouble that there is.
func (j *judge) unsure(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.doubted[id] = true
}

func (j *judge) doubts(q question) bool {
	k, _ := apikey.Parse(apikey.Present(q.text))
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.doubted[k.ID]
}

// trouble begins or ends storage trouble. What is not known meanwhile is not asked.
func (j *judge) trouble(on bool) {
	j.oracle.mu.Lock()
	j.broken = on
	j.oracle.mu.Unlock()
	j.troubled.Store(time.Now().UnixMilli())
}

// calm tells whether storage was well for the last seconds.
func (j *judge) calm() bool {
	j.oracle.mu.Lock()
	defer j.oracle.mu.Unlock()
	return !j.broken && time.Now().UnixMilli()-j.troubled.Load() > 5000
}

func (j *judge) count(r reply) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.replies[r.String()]++
}

func (j *judge) fail(g *gate, q question, r reply, why string) {
	composed, certain := g.net.known()
	j.t.Errorf("%s: gate %s about %v: %v, asked at %s: %s\nit knows what was so at %s, and knows that of %s; unbroken since %s\nthe engine said%s",
		clockTime(r.to), g.name, q, r, clockTime(r.from), why, clockTime(composed), clockTime(certain), clockTime(g.net.unbroken()), j.history(q))
}
