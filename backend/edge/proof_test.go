package edge

import (
	"context"
	"slices"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// waits are what the polls since it was last asked waited, in milliseconds.
func (v *vault) waits() (waits []int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.polls {
		waits = append(waits, p.Wait)
	}
	v.polls = nil
	return waits
}

// A poll that does not wait costs a write in Vault. There is none but after a break.
func TestAProofIsAskedForAfterEachBreakAndOnlyThen(t *testing.T) {
	for name, harm := range map[string]func(w *world){
		"silence":           func(w *world) { w.silence(errAway); time.Sleep(second); w.silence(nil) },
		"another process":   func(w *world) { w.failover() },
		"a machine's sleep": func(w *world) { w.hardware.sleep(second) },
		"a late answer": func(w *world) {
			w.set(func() {
				w.onPoll = func(context.Context, *wire.Changes) error { time.Sleep(firstWait + late); return nil }
			})
			time.Sleep(firstWait)
			w.set(func() { w.onPoll = nil })
			time.Sleep(firstWait + late)
		},
		"an answer to another question": func(w *world) {
			w.set(func() { w.onPoll = func(_ context.Context, a *wire.Changes) error { a.Nonce = "x"; return nil } })
			time.Sleep(2 * second)
			w.set(func() { w.onPoll = nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{}, func(w *world) {
				if waits := w.waits(); len(waits) < 2 || waits[0] != 0 || slices.Max(waits[1:]) == 0 {
					t.Errorf("at the start the polls wait %v", waits)
				}
				for range 20 {
					w.announce("key:other")
					time.Sleep(700 * time.Millisecond)
				}
				if waits := w.waits(); len(waits) < 20 || slices.Min(waits) == 0 {
					t.Errorf("without a break the polls wait %v", waits)
				}
				harm(w)
				time.Sleep(maxPause + 2*second)
				waits := w.waits()
				if !slices.Contains(waits, 0) || waits[len(waits)-1] == 0 {
					t.Errorf("after it the polls wait %v", waits)
				}
				_, text := w.issue()
				w.want(text, "valid")
			})
		})
	}
}

// What begins another feed may be a node that was deposed, as what answers after a
// silence, and what answers a machine that slept. Nothing of it counts before the proof.
func TestWhatIsNotProvenIsNotBelieved(t *testing.T) {
	for name, harm := range map[string]func(w *world){
		"another process":   func(w *world) { w.failover() },
		"after silence":     func(w *world) { w.silence(errAway); time.Sleep(2 * second); w.silence(nil) },
		"a machine's sleep": func(w *world) { w.hardware.sleep(second); time.Sleep(lookEvery) },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{}, func(w *world) {
				_, text := w.issue()
				w.want(text, "valid")
				time.Sleep(5 * second)
				w.set(func() { w.onProof = func() error { return errAway } })
				time.Sleep(300 * time.Millisecond)
				certain := w.Mirror.feed.certain.Load()
				harm(w)
				time.Sleep(maxStaleness)
				w.want(text, "closed")
				if now := w.Mirror.feed.certain.Load(); now != certain {
					t.Errorf("what is not proven is believed as of %v later", time.Duration(now-certain))
				}
				if s := w.Status(); s.Ready || s.Reason == "" {
					t.Errorf("it is %+v", s)
				}
				w.set(func() { w.onProof = nil })
				time.Sleep(maxPause)
				w.want(text, "valid")
			})
		})
	}
}

// Whatever becomes of the poll that was to end early, a machine that slept is not stale for
// ever.
func TestAMachineThatSleptIsFreshAgainByAProof(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		w.want(text, "valid")
		w.waits()
		w.Mirror.feed.suspended.Store(true) // and whoever was to hurry was just answered
		w.want(text, "closed")
		time.Sleep(firstWait + late)
		if waits := w.waits(); !slices.Contains(waits, 0) {
			t.Errorf("the polls wait %v", waits)
		}
		w.want(text, "valid")
	})
}

// A proof takes as long as a write, and what it proves is so when the write began, and no
// later.
func TestAProofMayTakeItsTimeAndIsOfItsBeginning(t *testing.T) {
	in(t, Settings{MaxStaleness: 3 * second}, func(w *world) {
		w.set(func() { w.onProof = func() error { time.Sleep(late - late/10); return nil } })
		w.set(func() { w.onPoll = func(_ context.Context, a *wire.Changes) error { a.Waited = 0; return nil } })
		w.silence(errAway)
		time.Sleep(4 * second)
		w.silence(nil)
		time.Sleep(maxPause + late - late/10)
		w.set(func() {
			w.onProof, w.onPoll = func() error { return errAway }, func(context.Context, *wire.Changes) error { return errAway }
		})
		if s := w.Status(); !s.Ready || s.Age < late/2 {
			t.Errorf("it is %+v", s)
		}
	})
}
