package edge_test

import (
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// to is how exactly the moments of a silence are kept.
const to = 100 * time.Millisecond

// While Vault is silent a gate goes on with what it holds for max_staleness, and for
// stale_grace if that is written, counted from what it knows; and then closes. What it
// does not hold it does not guess.
func TestAGateGoesOnForAsLongAsItMayAndCloses(t *testing.T) {
	for what, grace := range map[string]time.Duration{"without a grace": 0, "with a grace": 7 * time.Second} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { silence(t, grace) })
		})
	}
}

func silence(t *testing.T, grace time.Duration) {
	s := newScene(t, nil, func(of *edge.Settings) { of.StaleGrace = grace })
	cold, coldText := s.issue(nil)
	tagKey := s.m.TagKey()
	warm := newHammer(t, s.g, question{text: s.text}, 10*time.Millisecond)
	unknown := newHammer(t, s.g, question{text: coldText}, 10*time.Millisecond)
	for range 20 {
		time.Sleep(300 * time.Millisecond)
		s.g.is(t, sibling(t, tagKey, s.text), verify.Invalid)
	}
	other := newHammer(t, s.g, question{text: sibling(t, tagKey, coldText)}, 10*time.Millisecond)
	_, certainBefore := s.g.net.known()
	s.g.net.set(weather{cut: true})
	cut := time.Now()
	never := newHammer(t, s.g, question{text: sibling(t, tagKey, coldText)}, 10*time.Millisecond)
	s.m.Must("revoke/"+s.id, nil)
	s.m.Must("revoke/"+cold, nil)
	time.Sleep(30 * time.Second)
	composed, certain := s.g.net.known()
	if certain.Before(certainBefore) || cut.Sub(certain) > 2*time.Second {
		t.Fatalf("cut at %s the gate knows what was at %s", clockTime(cut), clockTime(certain))
	}
	warm.only(t, "what it holds", cut, certain.Add(s.g.bound-to), "valid")
	unknown.only(t, "what it holds as well", cut, certain.Add(s.g.bound-to), "valid")
	warm.only(t, "what is too old", composed.Add(s.g.bound+1), time.Now(), "error closed")
	for code := range never.between(cut, time.Now()) {
		if code == "valid" || code == "invalid" {
			t.Errorf("an unknown text is %s while Vault is silent", code)
		}
	}
	for code := range other.between(cut.Add(5*time.Second), time.Now()) {
		if code == "valid" || code == "invalid" {
			t.Errorf("a text that was no key is %s long after Vault was asked", code)
		}
	}
	staleOnlyInGrace(t, warm, certain, composed, s.g.bound-grace)
	s.g.net.set(fine)
	time.Sleep(4 * time.Second)
	s.g.is(t, s.text, verify.Revoked)
	s.g.is(t, coldText, verify.Revoked)
	if rs := warm.between(cut, composed.Add(s.g.bound)); rs["valid"] == 0 {
		t.Error("nothing was answered in the silence")
	}
}

func staleOnlyInGrace(t *testing.T, h *hammer, certain, composed time.Time, fresh time.Duration) {
	t.Helper()
	for _, r := range h.all() {
		if r.err == nil && r.from.After(composed.Add(fresh)) && r.from.Before(composed.Add(h.g.bound)) && r.stale == 0 {
			t.Errorf("at %s an answer in the grace does not say how old it is", clockTime(r.from))
			return
		}
		if r.err == nil && r.from.Before(certain.Add(fresh-to)) && r.stale != 0 {
			t.Errorf("at %s an answer before the grace says that it is %v old", clockTime(r.from), r.stale)
			return
		}
	}
}

// Before its first answer from Vault a gate answers nothing, and what is no key by its
// form is none at any time.
func TestAGateThatHeardNothingAnswersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t)
		v.m.Must("roles/web", map[string]any{"generate_lease": false})
		_, text := v.issue(nil)
		g := newGateIn(t, weather{cut: true}, v, 1, settings("gate"))
		h := newHammer(t, g, question{text: text}, 10*time.Millisecond)
		began := time.Now()
		time.Sleep(10 * time.Second)
		h.only(t, "before the first answer", began, time.Now(), "error closed")
		if g.Status().Ready {
			t.Error("it says that it is ready")
		}
		g.is(t, text[:len(text)-1], verify.Invalid)
		g.net.set(fine)
		time.Sleep(4 * time.Second)
		g.is(t, text, verify.Valid)
		if !g.Status().Ready {
			t.Error("it does not say that it is ready")
		}
	})
}

// Trouble with Vault's storage is no verdict.
func TestTroubleIsNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		_, cold := s.issue(nil)
		s.restart() // nothing is in the engine's memory
		s.m.Faulty = true
		s.m.Storage.Intercept(memory.Before(memory.On("get", "", memory.ErrStorage)))
		began := time.Now()
		warm := newHammer(t, s.g, question{text: s.text}, 20*time.Millisecond)
		unknown := newHammer(t, s.g, question{text: cold}, 20*time.Millisecond)
		time.Sleep(20 * time.Second)
		for _, h := range []*hammer{warm, unknown} {
			for code := range h.between(began, time.Now()) {
				if code != "valid" && code != "error busy" && code != "error stale" && code != "error closed" {
					t.Errorf("storage trouble is answered with %s", code)
				}
			}
		}
		unknown.never(t, "unknown", verify.Valid, began)
		warm.never(t, "too old", verify.Valid, began.Add(s.g.bound))
		s.m.Storage.Intercept(nil)
		time.Sleep(5 * time.Second)
		s.g.is(t, s.text, verify.Valid)
		s.g.is(t, cold, verify.Valid)
	})
}

// A machine that slept knows nothing of what happened meanwhile, though its own clock
// stood still.
func TestAMachineThatSleptDoesNotGoOnAsIfNothingHadHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		s.g.net.set(weather{cut: true})
		s.g.machine.sleep(time.Hour)
		s.m.Must("revoke/"+s.id, nil)
		woken := time.Now()
		time.Sleep(50 * time.Millisecond)
		h := newHammer(t, s.g, question{text: s.text}, 5*time.Millisecond)
		time.Sleep(10 * time.Second)
		h.never(t, "asleep for an hour", verify.Valid, woken)
		s.g.net.set(fine)
		time.Sleep(4 * time.Second)
		s.g.is(t, s.text, verify.Revoked)
	})
}

// A nap that is shorter than what a gate may go on for makes it stale all the same, until
// the next poll.
func TestANapMakesAGateStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		s.g.net.set(weather{cut: true})
		s.g.machine.sleep(500 * time.Millisecond)
		time.Sleep(50 * time.Millisecond)
		s.g.closed(t, s.text)
		s.g.net.set(fine)
		time.Sleep(3 * time.Second)
		s.g.is(t, s.text, verify.Valid)
	})
}
