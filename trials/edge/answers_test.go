package edge_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// An answer that is overtaken by a change of what it tells brings nothing back, whichever
// of the two arrives first.
func TestAnAnswerThatIsOvertakenBringsNothingBack(t *testing.T) {
	for what, narrow := range map[string]func(s *scene){
		"revoke":  func(s *scene) { s.m.Must("revoke/"+s.id, nil) },
		"rotate":  func(s *scene) { s.m.Must("rotate/"+s.id, map[string]any{"grace_period": 0}) },
		"disable": func(s *scene) { s.m.Must("keys/"+s.id, map[string]any{"disabled": true}) },
		"scopes":  func(s *scene) { s.m.Must("keys/"+s.id, map[string]any{"scopes": []string{"read:b"}}) },
		"role":    func(s *scene) { s.m.Must("roles/web", map[string]any{"disabled": true}) },
		"role's scopes": func(s *scene) {
			s.m.Must("roles/web", map[string]any{"allowed_scopes": "read:b", "default_scopes": "read:b"})
		},
		"owner":       func(s *scene) { s.m.Must("stop/owners/acme", nil) },
		"role's stop": func(s *scene) { s.m.Must("stop/roles/web", nil) },
	} {
		for when, wait := range map[string]time.Duration{"at once": 0, "after the change is heard": 600 * time.Millisecond} {
			t.Run(what+", released "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { overtake(t, narrow, wait) })
			})
		}
	}
}

func overtake(t *testing.T, narrow func(s *scene), wait time.Duration) {
	s := newScene(t, nil)
	s.id, s.text = s.issue(map[string]any{"owner": "acme"})
	release := s.g.net.hold("resolve")
	q := question{text: s.text, scopes: "read:a"}
	var asked sync.WaitGroup
	var first reply
	asked.Go(func() { first = s.g.ask(q) })
	time.Sleep(100 * time.Millisecond) // the answer was composed
	narrow(s)
	narrowed := time.Now()
	time.Sleep(wait)
	release()
	h := newHammer(t, s.g, q, 5*time.Millisecond)
	time.Sleep(3 * time.Second)
	asked.Wait()
	if first.code() == verify.Valid && first.to.Sub(narrowed) > soon || wait > 0 && first.code() == verify.Valid {
		t.Errorf("the question that waited is %v, %v after it was narrowed", first, first.to.Sub(narrowed))
	}
	h.never(t, "overtaken", verify.Valid, narrowed.Add(soon))
	if len(h.between(narrowed.Add(soon), time.Now())) == 0 {
		t.Error("nothing was asked")
	}
	if r := s.g.ask(q); r.err != nil {
		t.Errorf("in the end it is %v", r)
	}
}

// A verdict is of one moment. What was looked at before a question had to wait for Vault
// counts no more, if the feed has told meanwhile that it changed.
func TestAVerdictIsOfOneMoment(t *testing.T) {
	for what, widen := range map[string]func(s *scene){
		"waiting for the role":  func(s *scene) { s.m.Must("roles/web", map[string]any{"allowed_scopes": "*"}) },
		"waiting for the owner": func(s *scene) { s.m.Backend.InvalidateKey(t.Context(), "owner/acme") },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, nil)
				s.id, s.text = s.issue(map[string]any{"owner": "acme"})
				s.g.is(t, s.text, verify.Valid)
				release := s.g.net.hold("resolve")
				widen(s)
				time.Sleep(200 * time.Millisecond)
				var asked sync.WaitGroup
				var r reply
				asked.Go(func() { r = s.g.ask(question{text: s.text}) })
				time.Sleep(100 * time.Millisecond)
				s.m.Must("revoke/"+s.id, nil)
				revoked := time.Now()
				time.Sleep(1500 * time.Millisecond)
				release()
				asked.Wait()
				if r.code() == verify.Valid {
					t.Errorf("the key is valid %v after it was revoked", r.to.Sub(revoked))
				}
			})
		})
	}
}

// The same of what is not confirmed yet: what waits does not become younger.
func TestAVerdictIsAsOldAsTheOldestOfItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		s.id, s.text = s.issue(map[string]any{"owner": "acme"})
		s.g.is(t, s.text, verify.Valid)
		s.g.net.hold("confirm")
		s.m.Must("revoke/"+s.id, nil)
		revoked := time.Now()
		s.restart()
		time.Sleep(time.Second)
		s.m.Backend.InvalidateKey(t.Context(), "owner/acme")
		time.Sleep(200 * time.Millisecond)
		release := s.g.net.hold("resolve")
		time.Sleep(time.Until(revoked.Add(s.g.bound - 300*time.Millisecond)))
		var asked sync.WaitGroup
		var r reply
		asked.Go(func() { r = s.g.ask(question{text: s.text}) })
		time.Sleep(1500 * time.Millisecond)
		release()
		asked.Wait()
		if r.code() == verify.Valid {
			t.Errorf("the key is valid %v after it was revoked", r.to.Sub(revoked))
		}
	})
}

// A rotation without grace at a key that is used all the time ends the old version
// everywhere within a second, and the new one is good from its first question on.
func TestARotationWithoutGraceAtAHotKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		old := newHammer(t, s.g, question{text: s.text}, time.Millisecond)
		var worst time.Duration
		for range 10 {
			time.Sleep(777 * time.Millisecond)
			next := s.m.Must("rotate/"+s.id, map[string]any{"grace_period": 0}).Str("key")
			rotated := time.Now()
			new := newHammer(t, s.g, question{text: next}, time.Millisecond)
			time.Sleep(1500 * time.Millisecond)
			old.never(t, "rotated without grace", verify.Valid, rotated.Add(soon))
			new.only(t, "the new version", rotated, time.Now().Add(-500*time.Millisecond), "valid")
			worst = max(worst, old.last(verify.Valid).Sub(rotated))
			old.stop()
			old = new
		}
		t.Logf("a version without grace was valid for at most %v", worst)
	})
}

// What a network answers that is the answer to something else, however good it looks, is
// none: a text with another secret is never proven by it.
func TestAnOldAnswerProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		tagKey := s.m.TagKey()
		s.g.net.set(weather{delay: fine.delay, stale: 1000})
		for range 50 {
			if r := s.g.ask(question{text: sibling(t, tagKey, s.text)}); r.code() == verify.Valid {
				t.Fatal("a text with another secret is valid")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}

// What Vault said before, said again and again, makes nothing known that is newer: who
// hears nothing else closes in time.
func TestOldAnswersKeepNoGateOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		time.Sleep(3 * time.Second)
		s.g.net.set(weather{delay: fine.delay, stale: 1000})
		s.m.Must("revoke/"+s.id, nil)
		revoked := time.Now()
		h := newHammer(t, s.g, question{text: s.text}, 10*time.Millisecond)
		time.Sleep(15 * time.Second)
		h.never(t, "by old answers", verify.Valid, revoked.Add(s.g.bound))
		s.g.closed(t, s.text)
	})
}
