package edge

import (
	"context"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// A key that is used at other gates only is not idle here, whoever comes at once, and
// neither is one that was delegated from it.
func TestAKeyThatIsUsedElsewhereIsNotIdleForAnybody(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		w.setRole(func(r *record.Role) { r.IdleTimeout = 60 })
		parent, text := w.issue()
		_, below := w.issue(func(k *record.Key) { k.Parent = parent })
		w.want(text, "valid")
		w.want(below, "valid")
		w.mu.Lock()
		w.onTold = func(_ context.Context, a *wire.Told) error {
			time.Sleep(300 * time.Millisecond)
			for _, k := range a.Records {
				k.ActiveAt = w.present() // by a gate that reported
			}
			return nil
		}
		w.mu.Unlock()
		for _, text := range []string{below, text} {
			time.Sleep(2 * time.Minute)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 20 * time.Millisecond)
					if a, err := w.verify(text); err != nil || !a.Valid() {
						t.Errorf("one of those who ask at once hears %s, %v", a.Code, err)
					}
				})
			}
			all.Wait()
		}
	})
}

// Uses are not told, so what is known of them gets old: where Vault does not say more,
// that is no verdict.
func TestWhatSeemsIdleByOldKnowledgeIsNotRefused(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		w.setRole(func(r *record.Role) { r.IdleTimeout = 60 })
		_, text := w.issue()
		w.want(text, "valid")
		w.mu.Lock()
		w.onTold = func(context.Context, *wire.Told) error { return errAway }
		w.mu.Unlock()
		time.Sleep(2 * time.Minute)
		for range 3 {
			w.want(text, "stale")
			time.Sleep(second)
		}
		if w.seen.count() != 1 {
			t.Errorf("%d decisions were observed", w.seen.count())
		}
		w.mu.Lock()
		w.onTold = nil
		w.mu.Unlock()
		time.Sleep(5 * second)
		_, _ = w.verify(text)
		time.Sleep(second)
		w.want(text, "expired") // as Vault says now
	})
}
