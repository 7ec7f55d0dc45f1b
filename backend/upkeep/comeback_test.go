package upkeep

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// panics makes every call of a kind panic while on is set.
func panics(on *atomic.Bool, op, path string) func(string, string) error {
	return func(did, at string) error {
		if on.Load() && did == op && strings.HasPrefix(at, path) {
			panic("with a secret")
		}
		return nil
	}
}

// However a flush panics, the next one writes what it should have written.
func TestAFlushThatPanicsIsFollowedByAnother(t *testing.T) {
	for _, call := range []string{"get config", "put usage/", "get quota/", "put quota/"} {
		t.Run(call, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.interval(10)
				w.role("web", func(r *record.Role) { r.Quota = 640 })
				m := w.issue()
				f := w.flusher()
				defer f.Stop()
				var broken atomic.Bool
				op, path, _ := strings.Cut(call, " ")
				w.disk.Intercept(memory.Before(panics(&broken, op, path)))
				for range 2 {
					w.use(m.Key.ID, 1, start+50)
					w.must(spend(w, m))
					broken.Store(true)
					w.Store.Invalidate("config")
					time.Sleep(25 * time.Second)
					broken.Store(false)
					time.Sleep(25 * time.Second)
					synctest.Wait()
				}
				q, _, err := w.Store.Quota(t.Context(), m.Key.ID)
				// A write that fails may lose its block, each time.
				if w.lastUse(m.Key.ID) != start+50 || q.Total-2 > 40 || err != nil {
					t.Errorf("stored are the use at %+d and %+v, %v", w.lastUse(m.Key.ID).Sub(start), q, err)
				}
				if log := w.log.String(); strings.Contains(log, "secret") || !strings.Contains(log, "fault") {
					t.Errorf("the log says %s", log)
				}
				// The counter is not left locked.
				w.must(spend(w, m))
			})
		})
	}
}

func TestAFlusherThatDiedIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.interval(10)
		id := w.issue().Key.ID
		f := w.flusher()
		defer f.Stop()
		f.worker.cancel()
		f.worker.wait()
		w.must(f.Start(t.Context()))
		w.use(id, 1, start+50)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if w.lastUse(id) != start+50 {
			t.Error("nothing flushes")
		}
	})
}

// What waits behind a piece of work that panicked is not forgotten.
func TestAnIdleEndBehindOneThatPanickedIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ends := idling(t)
		defer ends.Stop()
		first, second := w.issue(), w.issue()
		w.clock.Move(hour)
		var broken atomic.Bool
		broken.Store(true)
		w.disk.Intercept(memory.Before(panics(&broken, "put", "key/"+first.Key.ID[:2]+"/"+first.Key.ID)))
		w.told(first, second)
		synctest.Wait()
		broken.Store(false)
		if k := w.key(second.Key.ID); k.Current().ExpiresAt != start.Add(hour) {
			t.Errorf("the second expires at %+d", k.Current().ExpiresAt.Sub(start))
		}
		time.Sleep(flushRetry)
		synctest.Wait()
		if k := w.key(first.Key.ID); k.Current().ExpiresAt != start.Add(hour) {
			t.Errorf("the first expires at %+d", k.Current().ExpiresAt.Sub(start))
		}
	})
}

func TestAHashBehindOneThatPanickedIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := NewRehasher(w.kept, w.Hasher, w, w.proofs)
		defer r.Stop()
		first, second := w.issue(), w.issue()
		hash, before := w.hashOf(first), w.hashOf(second)
		w.setCost(16, 1)
		var broken atomic.Bool
		broken.Store(true)
		w.disk.Intercept(memory.Before(panics(&broken, "get", "key/"+first.Key.ID[:2]+"/"+first.Key.ID)))
		r.Offer(first.Text, hash)
		r.Offer(second.Text, before)
		time.Sleep(time.Second)
		synctest.Wait()
		broken.Store(false)
		if w.hashOf(second).Equal(before) {
			t.Error("it is as it was")
		}
	})
}
