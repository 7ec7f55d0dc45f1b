package edge_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestAGateAnswersAsTheEngineDoes asks both the same, all through random histories, and
// wants the same answers field for field. Seeds as for the other walk.
func TestAGateAnswersAsTheEngineDoes(t *testing.T) {
	first, seeds, steps := fromEnv("EDGE_SEED", 1), fromEnv("EDGE_SEEDS", 6), fromEnv("EDGE_STEPS", 120)
	codes := map[string]int{}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { both(t, uint64(seed), steps, codes) })
		})
	}
	t.Logf("compared: %v", codes)
	for _, code := range verify.Codes() {
		if code != verify.QuotaExceeded && codes[string(code)] == 0 && seeds > 5 {
			t.Errorf("%s was never answered", code)
		}
	}
}

// pair is an engine and a gate that are asked the same.
type pair struct {
	*vault
	g       *gate
	history *history
	rand    *rand.Rand
	open    []question
	codes   map[string]int
}

func newPair(t *testing.T, seed uint64) *pair {
	v := newVault(t)
	of := settings("gate")
	of.MaxStaleness = time.Minute
	p := &pair{vault: v, rand: rand.New(rand.NewPCG(seed, 3)), codes: map[string]int{}}
	p.history = &history{v: v, rand: rand.New(rand.NewPCG(seed, 4)), around: func(c func()) { c() }, follow: p.follow}
	p.history.begin("web", "svc", "rates", "strict", "waning", "pending")
	p.g = newGate(t, v, seed, of)
	ready(t, p.g)
	return p
}

// A brownout is where the clock alone says, at both.
func TestABrownoutIsOneAtAGateAsAtTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, 1)
		k := p.m.Must("issue/waning", nil)
		p.m.Must("rotate/"+k.Str("key_id"), nil)
		rotated := time.Now().Truncate(time.Second)
		p.open = []question{{text: k.Str("key"), role: "waning"}}
		for _, at := range []time.Duration{3*time.Hour + time.Minute, 4*time.Hour - time.Minute, 4*time.Hour + time.Minute, 4*time.Hour + 6*time.Minute} {
			p.pass(time.Until(rotated.Add(at)))
			for range 20 {
				p.compare(t)
			}
			want := verify.Valid
			if at == 4*time.Hour+time.Minute {
				want = verify.Superseded
			}
			p.g.is(t, k.Str("key"), want)
		}
	})
}

func both(t *testing.T, seed uint64, steps int, codes map[string]int) {
	p := newPair(t, seed)
	p.codes = codes
	defer func() {
		if t.Failed() {
			done := p.history.done
			t.Logf("the last of what was done:\n%s", strings.Join(done[max(0, len(done)-15):], "\n"))
		}
	}()
	for step := range steps {
		p.history.step()
		p.settle(1200 * time.Millisecond) // renewals wake nobody
		for range 12 {
			p.compare(t)
		}
		if step%20 == 19 {
			p.pass(time.Duration(p.rand.IntN(80)) * time.Minute)
		}
		if t.Failed() {
			return
		}
	}
}

// settle lets the feed tell what there is, and stays away from the turn of a second: a
// gate may be early by a millisecond.
func (p *pair) settle(d time.Duration) {
	time.Sleep(d)
	part := time.Duration(time.Now().Nanosecond())
	if part < 50*time.Millisecond || part > 900*time.Millisecond {
		time.Sleep(150 * time.Millisecond)
	}
	synctest.Wait()
}

// pass lets much time go by, with few polls.
func (p *pair) pass(d time.Duration) {
	p.g.net.rewrite(func(a *wire.Changes) { a.Wait = wire.MaxWait })
	time.Sleep(d)
	p.g.net.rewrite(nil)
	p.settle(wire.MaxWait * time.Millisecond)
}

func (p *pair) follow(text, role string) {
	p.open = append(p.open, question{text: text, role: role})
	p.open = p.open[max(0, len(p.open)-24):]
}

// compare asks both something.
func (p *pair) compare(t *testing.T) {
	t.Helper()
	if len(p.open) == 0 {
		return
	}
	q := p.open[p.rand.IntN(len(p.open))]
	q.role = []string{"", "", q.role, "web"}[p.rand.IntN(4)]
	q.scopes = []string{"", "read:a", "read:b", "write:a"}[p.rand.IntN(4)]
	q.ip = []string{"", "10.1.2.3", "192.0.2.7"}[p.rand.IntN(3)]
	q.cost = []int64{1, 1, 2, 0, 7}[p.rand.IntN(5)]
	at := time.Now()
	want, wantHead := p.engine(q)
	got, gotHead := p.gate(t, q)
	if took := time.Since(at); took > 100*time.Millisecond {
		t.Errorf("%v took %v", q, took)
	}
	code, _ := want["code"].(string)
	p.codes[code]++
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v\nthe engine answers\n%v\nand the gate\n%v", clockTime(time.Now()), q, want, got)
	}
	if wantHead != nil && gotHead != nil && !reflect.DeepEqual(gotHead, wantHead) {
		t.Errorf("%s: %v\nthe engine's headers are\n%v\nand the gate's\n%v", clockTime(time.Now()), q, wantHead, gotHead)
	}
}

// engine is the answer of the engine and, to what costs nothing, its headers.
func (p *pair) engine(q question) (map[string]any, http.Header) {
	data := map[string]any{"key": q.text, "cost": q.cost}
	if q.scopes != "" {
		data["scopes"] = []string{q.scopes}
	}
	if q.ip != "" {
		data["client_ip"] = q.ip
	}
	door := ""
	if q.role != "" {
		door = "/" + q.role
	}
	a := p.m.Write("verify"+door, data)
	if !a.OK() {
		return map[string]any{"error": a.Text}, nil
	}
	if q.cost != 0 {
		return a.Data, nil
	}
	resp, err := p.m.Backend.HandleRequest(context.Background(), &logical.Request{
		Operation: logical.UpdateOperation, Path: "authorize" + door, Data: mount.ThroughJSON(p.m.T, data), Storage: p.m.Storage,
	})
	if err != nil {
		return map[string]any{"error": err.Error()}, nil
	}
	return a.Data, resp.Headers
}

// gate is the answer of the gate.
func (p *pair) gate(t *testing.T, q question) (map[string]any, http.Header) {
	r := p.g.askAs(q, q.scopes != "")
	if mistake := record.Mistake(""); errors.As(r.err, &mistake) {
		return map[string]any{"error": string(mistake)}, nil
	}
	if r.err != nil {
		return map[string]any{"error": r.err.Error()}, nil
	}
	return mount.ThroughJSON(t, verdict.Data(&r.Decision, false)), verdict.Headers(&r.Decision)
}
