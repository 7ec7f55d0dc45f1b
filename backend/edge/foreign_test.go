package edge

import (
	"context"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// What an answer says must not hang on who repeats one: without the question's nonce it
// is to another.
func TestAnAnswerWithoutTheQuestionsNonceIsSilence(t *testing.T) {
	for name, nonce := range map[string]string{"of another": "x", "of none": ""} {
		t.Run(name, func(t *testing.T) {
			in(t, Settings{}, func(w *world) {
				id, text := w.issue()
				w.want(text, "valid")
				w.mu.Lock()
				w.onTold = func(_ context.Context, a *wire.Told) error { a.Nonce = nonce; return nil }
				w.onConfirm = func(a *wire.Confirmed) error { a.Nonce = nonce; return nil }
				w.mu.Unlock()
				_, other := w.issue()
				w.want(other, "stale")
				w.failover()
				time.Sleep(second)
				if e, ok := w.held.keys.Peek(id); !ok || e.epoch.Load() == w.feed.epoch.Load() {
					t.Error("a key is confirmed by an answer to another question")
				}
			})
		})
	}
}

// A restored mount forgets a version and gives its number again, to another secret. What
// was proven before is no proof of that.
func TestAProofIsOfOneVersionOnly(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		second := func(k *record.Key) {
			next := k.Versions[0]
			next.Number, next.CreatedAt = 2, w.present()
			k.Versions = append([]record.Version{next}, k.Versions...)
		}
		id, _ := w.issue()
		w.mu.Lock()
		before := w.keys[id]
		w.mu.Unlock()
		w.change(id, second)
		old := w.text(id, 2)
		w.want(old, "valid")
		time.Sleep(5 * time.Second)
		w.mu.Lock()
		w.keys[id], w.lost = before, old
		w.mu.Unlock()
		w.failover()
		time.Sleep(5 * time.Second)
		w.change(id, second)
		time.Sleep(time.Second)
		w.want(old, "invalid")
		w.want(w.text(id, 2), "valid")
	})
}

func TestARoleThatIsNoneAtAnotherRolesDoorIsNoneThereOnly(t *testing.T) {
	in(t, Settings{Roles: []string{"web", "api"}}, func(w *world) {
		_, text := w.issue()
		w.want(text, "valid")
		w.mu.Lock()
		w.onTold = func(_ context.Context, a *wire.Told) error { a.Roles["web"] = nil; return nil }
		w.mu.Unlock()
		_, foreign := w.issue(func(k *record.Key) { k.Role = "api" })
		_, _ = w.verify(foreign, func(q *Question) { q.Role = "api" })
		w.want(text, "valid")
	})
}

// The record of an owner comes with its first key and goes after its last, and nobody is
// told.
func TestAnOwnerThatIsForgottenIsNoDrift(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, text := w.issue()
		w.want(text, "valid") // of an owner without a record
		set := func(o *record.Owner) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if delete(w.owners, "acme"); o != nil {
				w.owners["acme"] = *o
			}
		}
		drift := func(what string, want uint64) {
			t.Helper()
			for range 12 * 60 { // everything is confirmed once
				time.Sleep(time.Second)
				w.want(text, "valid")
			}
			if got := w.drift.count(); got != want {
				t.Errorf("%s: %d changes were found that were not told", what, got)
			}
		}
		set(&record.Owner{})
		drift("an owner with its first key", 0)
		set(nil)
		drift("an owner without keys", 0)
		set(&record.Owner{Stop: record.Stop{Generation: 1, Halts: []record.Halt{{Generation: 1}}}})
		for range 12 * 60 {
			time.Sleep(time.Second)
			_, _ = w.verify(text)
		}
		if w.drift.count() != 1 {
			t.Error("a stop that is not told is none")
		}
	})
}
