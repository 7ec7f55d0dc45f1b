package edge_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// What gates decide is counted by the engine once, whatever becomes of their reports and
// the answers to them.
func TestUsesAtGatesAreCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		s.id, s.text = s.issue(nil)
		other := newGate(t, s.vault, 9, settings("other"))
		other.net.set(fine)
		ready(t, other)
		decided := map[string]float64{}
		var mu sync.Mutex
		ask := func(g *gate, q question) {
			if r := g.ask(q); r.err == nil {
				mu.Lock()
				defer mu.Unlock()
				decided[string(r.Code)]++
			}
		}
		for i := range 300 {
			switch i {
			case 50:
				s.g.net.set(weather{delay: time.Second, lost: 300, again: 300})
				other.net.set(weather{delay: 300 * time.Millisecond, lost: 100, again: 500})
			case 200:
				s.m.Must("keys/"+s.id, map[string]any{"scopes": []string{"read:a"}})
			case 250:
				s.g.net.set(fine)
				other.net.set(fine)
			}
			ask(s.g, question{text: s.text, cost: 1})
			ask(other, question{text: s.text, scopes: "read:b", cost: 1})
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		s.g.leave()
		other.leave()
		counted, _ := s.m.Read("usage/keys/" + s.id).Data["by_code"].(map[string]any)
		for code, n := range decided {
			if counted[code] != n {
				t.Errorf("%v decisions of %s were made, and %v are counted", n, code, counted[code])
			}
		}
		if len(decided) < 2 {
			t.Errorf("decided were %v", decided)
		}
	})
}

// The first use of a version that waits for it ends the old one at that gate at once, at
// the engine within a second, and at other gates within two.
func TestAFirstUseAtAGateEndsTheOldVersionEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		s.id, s.text = s.issue(nil)
		other := newGate(t, s.vault, 9, settings("other"))
		other.net.set(fine)
		ready(t, other)
		here, there := newHammer(t, s.g, question{text: s.text}, 5*time.Millisecond), newHammer(t, other, question{text: s.text}, 5*time.Millisecond)
		next := s.m.Must("rotate/"+s.id, map[string]any{"activation": "first_use", "grace_period": 0}).Str("key")
		began := time.Now()
		time.Sleep(3 * time.Second)
		here.only(t, "while the new one waits", began, time.Now(), "valid")
		if r := other.ask(question{text: next}); r.code() != verify.Valid {
			t.Fatalf("the new version is %v", r)
		}
		if code := s.engine(t, s.text); code != verify.Valid {
			t.Errorf("a question that costs nothing is a use: the old version is %s", code)
		}
		if r := s.g.ask(question{text: next, cost: 1}); r.code() != verify.Valid {
			t.Fatalf("the new version is %v", r)
		}
		used := time.Now()
		for s.engine(t, s.text) == verify.Valid && time.Since(used) < 5*time.Second {
			time.Sleep(5 * time.Millisecond)
		}
		atEngine := time.Since(used)
		time.Sleep(3 * time.Second)
		if atEngine > time.Second {
			t.Errorf("at the engine the old version ended after %v", atEngine)
		}
		here.never(t, "its successor was used here", verify.Valid, used.Add(time.Millisecond))
		there.never(t, "its successor was used elsewhere", verify.Valid, used.Add(2*time.Second))
		t.Logf("the old version ended at the engine after %v, at the other gate after %v", atEngine, there.last(verify.Valid).Sub(used))
	})
}

func (s *scene) engine(t *testing.T, text string) verify.Code {
	t.Helper()
	codes, err := s.verify("", []question{{text: text}})
	if err != nil {
		t.Fatal(err)
	}
	return codes[0]
}

// A key that is used at a gate is in use, and one that nobody uses ends there as at the
// engine.
func TestAKeyThatIsUsedAtAGateIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, map[string]any{"idle_timeout": "1h"}, func(of *edge.Settings) { of.MaxStaleness = time.Minute })
		s.g.net.rewrite(func(a *wire.Changes) { a.Wait = wire.MaxWait }) // fewer polls through hours
		s.id, s.text = s.issue(nil)
		idle, idleText := s.issue(nil)
		s.g.is(t, idleText, verify.Valid)
		for range 6 {
			time.Sleep(20 * time.Minute)
			if r := s.g.ask(question{text: s.text, cost: 1}); r.code() != verify.Valid {
				t.Fatalf("a key in use is %v", r)
			}
		}
		time.Sleep(time.Minute)
		if status := s.m.Read("keys/" + s.id).Str("status"); status != "active" {
			t.Errorf("at the engine a key in use is %s", status)
		}
		s.g.is(t, idleText, verify.Expired)
		if status := s.m.Read("keys/" + idle).Str("status"); status != "expired" {
			t.Errorf("at the engine a key that nobody used is %s", status)
		}
	})
}

// observed counts the decisions that an observer was told of.
type observed struct{ n atomic.Int64 }

func (o *observed) Observe(verify.Observation) { o.n.Add(1) }

// A verdict that comes too late to be answered is told to nobody.
func TestWhatIsNotAnsweredIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := new(observed)
		s := newScene(t, nil, func(of *edge.Settings) { of.Observer = seen })
		s.m.Must("keys/"+s.id, map[string]any{"name": "x"})
		time.Sleep(500 * time.Millisecond)
		s.g.net.hold("changes")
		release := s.g.net.hold("resolve")
		_, certain := s.g.net.known()
		time.Sleep(time.Until(certain.Add(s.g.bound - time.Second)))
		before := seen.n.Load()
		var asked sync.WaitGroup
		var r reply
		asked.Go(func() { r = s.g.ask(question{text: s.text, cost: 1}) })
		time.Sleep(1500 * time.Millisecond)
		release()
		asked.Wait()
		if r.err == nil || seen.n.Load() != before {
			t.Errorf("the answer is %v, and %d decisions were told", r, seen.n.Load()-before)
		}
	})
}
