package edge_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// A killed plugin loses the feed. What was revoked right before is refused within
// max_staleness, and whoever holds a good key notices nothing.
func TestANewProcessIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		other, otherText := s.issue(nil)
		s.g.is(t, otherText, verify.Valid)
		good := newHammer(t, s.g, question{text: s.text}, 10*time.Millisecond)
		bad := newHammer(t, s.g, question{text: otherText}, 10*time.Millisecond)
		time.Sleep(2 * time.Second)
		s.m.Must("revoke/"+other, nil)
		revoked := time.Now()
		s.restart()
		time.Sleep(20 * time.Second)
		good.only(t, "through a restart", revoked.Add(-2*time.Second), time.Now().Add(-time.Second), "valid")
		bad.never(t, "revoked before a restart", verify.Valid, revoked.Add(s.g.bound))
		t.Logf("what was revoked right before a restart was valid for %v", bad.last(verify.Valid).Sub(revoked))
	})
}

// A leader that was deposed, and goes on answering, does not lead a gate back that has
// heard of the next one.
func TestADeposedLeaderIsNotListenedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		cold, coldText := s.issue(nil)
		s.m.Code(coldText)
		next := vaultOn(t, s.m.Storage)
		s.g.net.up.Store(next)
		time.Sleep(3 * time.Second)
		next.m.Must("revoke/"+s.id, nil)
		next.m.Must("revoke/"+cold, nil)
		revoked := time.Now()
		time.Sleep(soon)
		s.g.is(t, s.text, verify.Revoked)
		if code := s.m.Code(s.text); code != "valid" {
			t.Fatalf("the deposed leader knows better: %s", code)
		}
		s.g.net.up.Store(s.vault)
		known, unknown := newHammer(t, s.g, question{text: s.text}, 50*time.Millisecond), newHammer(t, s.g, question{text: coldText}, 50*time.Millisecond)
		time.Sleep(20 * time.Second)
		known.never(t, "led back", verify.Valid, revoked)
		unknown.never(t, "led back", verify.Valid, revoked)
		s.g.closed(t, s.text)
		s.g.net.up.Store(next)
		time.Sleep(5 * time.Second)
		s.g.is(t, s.text, verify.Revoked)
		s.g.is(t, coldText, verify.Revoked)
	})
}

// A leader that was suspended, and deposed meanwhile, goes on where it stood until it finds
// out. It is not believed for a moment, however long it slept: neither by a gate that it
// has told before, nor by one that it tells first.
func TestALeaderThatSleptIsNotBelieved(t *testing.T) {
	for _, slept := range []time.Duration{3 * time.Second, time.Minute} {
		t.Run(fmt.Sprint("for ", slept), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, nil)
				next, wake := vaultOn(t, s.m.Storage.Clone()), s.suspend()
				suspended := time.Now()
				newcomer := newGate(t, s.vault, 2, settings("newcomer"))
				newcomer.net.set(fine)
				next.m.Must("revoke/"+s.id, nil)
				s.depose()
				known := newHammer(t, s.g, question{text: s.text}, 20*time.Millisecond)
				first := newHammer(t, newcomer, question{text: s.text}, 20*time.Millisecond)
				time.Sleep(slept)
				wake()
				time.Sleep(20 * time.Second)
				known.never(t, "told by who slept", verify.Valid, suspended.Add(s.g.bound))
				first.never(t, "told by who slept first", verify.Valid, suspended)
				s.g.net.up.Store(next)
				newcomer.net.up.Store(next)
				time.Sleep(4 * time.Second)
				s.g.is(t, s.text, verify.Revoked)
				newcomer.is(t, s.text, verify.Revoked)
			})
		})
	}
}

// A restored snapshot is an older mount: what was made since is no key, and what was
// revoked since is one again. Gates follow.
func TestARestoredSnapshotIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		snapshot := s.m.Storage.Clone()
		time.Sleep(2 * time.Second)
		_, later := s.issue(nil)
		s.g.is(t, later, verify.Valid)
		s.m.Must("revoke/"+s.id, nil)
		time.Sleep(soon)
		s.g.is(t, s.text, verify.Revoked)
		s.restart() // terms go on, beyond what the snapshot knows
		time.Sleep(2 * time.Second)
		restored := vaultOn(t, snapshot)
		at := time.Now()
		s.g.net.up.Store(restored)
		gone := newHammer(t, s.g, question{text: later}, 20*time.Millisecond)
		time.Sleep(15 * time.Second)
		gone.never(t, "not in the snapshot", verify.Valid, at.Add(s.g.bound))
		s.g.is(t, later, verify.Invalid)
		s.g.is(t, s.text, verify.Valid)
	})
}

// Where the clock of the restored node is behind as well, its term is below what the gate
// has heard. Nobody can tell it from a deposed leader, so the gate closes.
func TestARestoredSnapshotUnderAWrongClockClosesTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		snapshot := s.m.Storage.Clone()
		snapshot.Lose("feed-term")
		s.m.Must("revoke/"+s.id, nil)
		time.Sleep(soon)
		restored := vaultOn(t, snapshot)
		restored.m.Wrong.Store(-int64(time.Hour))
		restored.restart()
		at := time.Now()
		s.g.net.up.Store(restored)
		h := newHammer(t, s.g, question{text: s.text}, 20*time.Millisecond)
		time.Sleep(15 * time.Second)
		h.never(t, "of a lower term", verify.Valid, at)
		s.g.closed(t, s.text)
	})
}

// More changes than the feed remembers are no hole: what the gate holds is confirmed.
func TestTheRingOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, nil)
		_, good := s.issue(nil)
		s.g.is(t, good, verify.Valid)
		warm := newHammer(t, s.g, question{text: good}, 20*time.Millisecond)
		s.g.net.set(weather{cut: true})
		time.Sleep(500 * time.Millisecond)
		s.m.Must("revoke/"+s.id, nil)
		revoked := time.Now()
		for i := range 70_000 {
			s.m.Backend.InvalidateKey(t.Context(), "owner/"+name("o", i))
		}
		time.Sleep(time.Second)
		s.g.net.set(fine)
		h := newHammer(t, s.g, question{text: s.text}, 20*time.Millisecond)
		time.Sleep(10 * time.Second)
		h.never(t, "revoked before the ring went round", verify.Valid, revoked.Add(s.g.bound))
		warm.only(t, "through an overflow", revoked, time.Now().Add(-time.Second), "valid")
		s.g.is(t, s.text, verify.Revoked)
	})
}

// A change that is told to nobody is a mistake of ours. The trickle of confirmations finds
// it within ten minutes, and counts it.
func TestALostChangeIsFoundByTheTrickle(t *testing.T) {
	for what, revoke := range map[string]func(s *scene){
		"key":   func(s *scene) { s.m.Must("revoke/"+s.id, nil) },
		"role":  func(s *scene) { s.m.Must("roles/web", map[string]any{"disabled": true}) },
		"owner": func(s *scene) { s.m.Must("stop/owners/acme", nil) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, nil)
				s.id, s.text = s.issue(map[string]any{"owner": "acme"})
				s.g.is(t, s.text, verify.Valid)
				s.g.net.rewrite(func(a *wire.Changes) { a.Changes = nil })
				revoke(s)
				lost := time.Now()
				h := newHammer(t, s.g, question{text: s.text}, time.Second)
				time.Sleep(11 * time.Minute)
				found := h.last(verify.Valid).Sub(lost)
				if found < 2*time.Second || found > 10*time.Minute {
					t.Errorf("a lost change was found after %v", found)
				}
				if drift := s.g.figure("drift_total"); drift != 1 {
					t.Errorf("%v lost changes were counted", drift)
				}
				t.Logf("a lost change of a %s was found after %v", what, found)
			})
		})
	}
}

// figure is one of a gate's metrics.
func (g *gate) figure(name string) (value float64) {
	g.Measure(func(figure string, v float64, _ ...string) {
		if figure == name {
			value += v
		}
	})
	return value
}
