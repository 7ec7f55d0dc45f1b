package upkeep

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func (w *world) rehasher() *Rehasher {
	r := NewRehasher(w.kept, w.Hasher, w, w.proofs)
	w.Cleanup(r.Stop)
	return r
}

// hashOf is the stored hash of the newest version.
func (w *world) hashOf(m lifecycle.Minted) keyhash.PHC {
	w.Helper()
	return w.key(m.Key.ID).Versions[0].Hash
}

func TestAHashIsRenewedWithTheNewCostAndStaysProven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	before := w.hashOf(m)
	w.setCost(16, 1)
	r := w.rehasher()
	w.must(r.rehash(t.Context(), rehash{m.Text, before}))
	after := w.hashOf(m)
	if after.Equal(before) || !strings.Contains(after.Reveal(), "m=16,") {
		t.Fatalf("the hash is %.25s…", after.Reveal())
	}
	if !w.proofs.Has(m.Text.Presented(), after) {
		t.Error("the key went cold")
	}
	if ok, err := w.Hasher.Match(t.Context(), after, m.Text.HashInput()); !ok || err != nil {
		t.Errorf("the key matches its new hash: %v, %v", ok, err)
	}
	if got := w.code(m); got != verify.Valid {
		t.Errorf("it is %s", got)
	}
	w.quiet(func() { w.must(r.rehash(t.Context(), rehash{m.Text, after})) })
}

func TestARehashNeverWritesWhatItShouldNot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do     func(w *world, m lifecycle.Minted, r *Rehasher)
		during bool
	}{
		"to a lower cost":   {do: func(w *world, _ lifecycle.Minted, _ *Rehasher) { w.setCost(8, 1) }},
		"on a standby":      {do: func(w *world, _ lifecycle.Minted, _ *Rehasher) { w.writable = false }},
		"of a revoked key":  {do: func(w *world, m lifecycle.Minted, _ *Rehasher) { w.revokeNow(m) }, during: true},
		"of an expired key": {do: func(w *world, _ lifecycle.Minted, _ *Rehasher) { w.clock.Move(10 * hour) }, during: true},
		"of a key that is gone": {do: func(w *world, m lifecycle.Minted, _ *Rehasher) {
			w.must(w.Delete(w.Context(), lifecycle.Target{ID: m.Key.ID}))
		}, during: true},
		"of a hash that was replaced": {do: func(w *world, m lifecycle.Minted, _ *Rehasher) {
			other, err := w.Hasher.Sum(w.Context(), w, keyhash.Params{MemoryKiB: 32, Iterations: 1, Parallelism: 1}, m.Text.HashInput())
			w.must(err)
			_, err = w.Store.UpdateKey(w.Context(), m.Key.ID, func(k *record.Key) error { k.Versions[0].Hash = other; return nil })
			w.must(err)
		}, during: true},
		"of a version that was forgotten": {do: func(w *world, m lifecycle.Minted, _ *Rehasher) {
			for range record.MaxVersions {
				w.rotateNow(m)
			}
		}, during: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.setCost(16, 1)
			m := w.issue()
			phc := w.hashOf(m)
			if name != "to a lower cost" {
				w.setCost(24, 1)
			}
			r := w.rehasher()
			var writes int
			change := func() {
				tc.do(w, m, r)
				writes = w.disk.Writes()
			}
			if tc.during {
				w.during = change
			} else {
				change()
			}
			if err := r.rehash(t.Context(), rehash{m.Text, phc}); err != nil && err != record.ErrKeyNotFound {
				t.Errorf("it answered %v", err)
			}
			if got := w.disk.Writes(); got != writes {
				t.Errorf("%d writes", got-writes)
			}
		})
	}
}

func TestAnOfferIsTakenOnceAndWorkedOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	before := w.hashOf(m)
	w.setCost(16, 1)
	r := w.rehasher()
	writes := w.disk.Writes()
	for range 10 {
		r.Offer(m.Text, before)
	}
	w.eventually("the hash is renewed", func() bool { return !w.hashOf(m).Equal(before) })
	w.eventually("the offer is forgotten", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.pending) == 0 })
	if got := w.disk.Writes() - writes; got != 1 {
		t.Errorf("ten offers made %d writes", got)
	}
	r.Stop()
	r.Offer(m.Text, keyhash.Stored("another"))
	if len(r.queue) != 0 {
		t.Error("after the stop it took an offer")
	}
}

func TestAnOfferNeverBlocksAndTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.rehasher()
	stuck := make(chan struct{})
	w.kept.Writable = func() bool { <-stuck; return false }
	w.setCost(16, 1)
	old := keyhash.Stored("$argon2id$v=19$m=8,t=1,p=1$")
	for i := range 10 * rehashQueue {
		r.Offer(apikey.Key{ID: "x", Version: i}, old)
	}
	r.mu.Lock()
	waiting := len(r.pending)
	r.mu.Unlock()
	if waiting > rehashQueue+1 {
		t.Errorf("%d wait", waiting)
	}
	close(stuck)
}

func TestTroubleWithARehashIsLoggedWithoutTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	w.setCost(16, 1)
	r := w.rehasher()
	w.disk.Intercept(memory.Before(fails("put", "key/")))
	r.Offer(m.Text, w.hashOf(m))
	w.eventually("it was tried", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.pending) == 0 })
	r.Stop()
	if log := w.log.String(); !strings.Contains(log, m.Key.ID) || strings.Contains(log, m.Text.Reveal()[25:]) || strings.Contains(log, "argon2id") {
		t.Errorf("the log says %s", log)
	}
}

func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	for range 20_000 {
		if is() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	w.Fatalf("it never happens that %s", what)
}

func TestOnlyAValidKeyOfAnotherCostIsOffered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		memoryKiB, iterations uint32
		do                    func(w *world, m lifecycle.Minted)
		want                  bool
	}{
		"the same cost is not":       {memoryKiB: 16, iterations: 2},
		"a lower cost is not":        {memoryKiB: 8, iterations: 3},
		"a higher cost is":           {memoryKiB: 24, iterations: 2, want: true},
		"a key that is refused not":  {memoryKiB: 24, iterations: 2, do: func(w *world, _ lifecycle.Minted) { w.role("web", func(r *record.Role) { r.Disabled = true }) }},
		"a key that has expired not": {memoryKiB: 24, iterations: 2, do: func(w *world, _ lifecycle.Minted) { w.clock.Move(10 * hour) }},
		"none while no cost is told": {},
	} {
		w := newWorld(t)
		w.setCost(16, 2)
		m := w.issue()
		r := w.rehasher()
		stuck := make(chan struct{})
		w.kept.Writable = func() bool { <-stuck; return false }
		if tc.memoryKiB != 0 {
			w.setCost(tc.memoryKiB, tc.iterations)
			config, err := w.Store.Config(t.Context())
			w.must(err)
			r.Configure(config)
		}
		if tc.do != nil {
			tc.do(w, m)
		}
		w.verify.Observer = observing(r.Observe)
		w.code(m)
		r.mu.Lock()
		if got := r.pending[offerOf(m.Text)]; got != tc.want {
			t.Errorf("%s: offered is %v", name, got)
		}
		r.mu.Unlock()
		close(stuck)
	}
}
