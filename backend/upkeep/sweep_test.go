package upkeep

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestTidyRemovesWhatAStopEnded(t *testing.T) {
	t.Parallel()
	w, old := delegating(t)
	w.retention(hour)
	child := w.delegate(old, record.Request{})
	w.clock.Move(hour)
	_, err := w.StopOwner(t.Context(), "acme", "leaked", "")
	w.must(err)
	next := w.issue()
	w.clock.Move(hour - 1)
	if s := w.tidied(NewTidier(w.kept)); s.KeysRemoved != 0 || s.State != TidyDone {
		t.Errorf("within the retention it is %+v", s)
	}
	w.clock.Move(1)
	if s := w.tidied(NewTidier(w.kept)); s.KeysRemoved != 2 {
		t.Errorf("after it, it is %+v", s)
	}
	for m, want := range map[string]verify.Code{old.Text.Reveal(): verify.Invalid, child.Text.Reveal(): verify.Invalid, next.Text.Reveal(): verify.Valid} {
		if d, err := w.verify.Verify(t.Context(), verify.Request{Key: apikey.Present(m)}); err != nil || d.Code != want {
			t.Errorf("a key is %s, want %s, %v", d.Code, want, err)
		}
	}
	if o, _, err := w.Store.Owner(t.Context(), "acme"); o.Generation != 1 || err != nil {
		t.Errorf("the mark is %+v, %v", o, err)
	}
}

func TestTidyWritesDownThatAKeyIsAnOrphan(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, parent lifecycle.Minted){
		"of a revoked key":  func(w *world, p lifecycle.Minted) { w.revokeNow(p) },
		"of a key gone":     func(w *world, p lifecycle.Minted) { w.must(w.Delete(w.Context(), lifecycle.Target{ID: p.Key.ID})) },
		"of a disabled key": func(w *world, p lifecycle.Minted) { w.disable(p) },
	} {
		w, root := delegating(t)
		w.retention(hour)
		child := w.delegate(root, record.Request{})
		grandchild := w.delegate(child, record.Request{})
		end(w, root)
		w.clock.Move(60)
		w.tidied(NewTidier(w.kept))
		var want record.Time
		if name != "of a disabled key" {
			want = start.Add(60)
		}
		for _, m := range []lifecycle.Minted{child, grandchild} {
			if got := w.key(m.Key.ID).OrphanedAt; got != want {
				t.Errorf("%s: orphaned at %d", name, got)
			}
			if got := w.code(m); got != verify.ParentEnded {
				t.Errorf("%s: it is %s", name, got)
			}
		}
		w.clock.Move(hour)
		w.tidied(NewTidier(w.kept))
		left := 0
		w.each(func(path, _ string) {
			if strings.HasPrefix(path, "key/") && !strings.HasSuffix(path, root.Key.ID) {
				left++
			}
		})
		if (left == 0) != (want != 0) {
			t.Errorf("%s: %d descendants are left", name, left)
		}
	}
}

func TestTidyWritesDownWhatNobodyUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(hour)
	idle, marked, used := w.issue(), w.issue(), w.issue()
	w.role("web", func(r *record.Role) { r.IdleTimeout = 2 * hour })
	w.clock.Move(hour)
	w.use(used.Key.ID, 1, w.clock.Now())
	w.role("web", func(r *record.Role) { r.IdleTimeout = hour / 2 })
	w.told(marked) // under a shorter timeout than today's
	w.role("web", func(r *record.Role) { r.IdleTimeout = 2 * hour })
	w.clock.Move(hour)
	w.tidied(NewTidier(w.kept))
	for m, want := range map[string]record.Time{idle.Key.ID: start.Add(2 * hour), marked.Key.ID: start.Add(hour / 2), used.Key.ID: start.Add(10 * hour)} {
		if got := w.key(m).Versions[0].ExpiresAt; got != want {
			t.Errorf("one expires at %+d, want %+d", got.Sub(start), want.Sub(start))
		}
	}
	w.clock.Move(hour - 1)
	if s := w.tidied(NewTidier(w.kept)); s.KeysRemoved != 1 {
		t.Errorf("within the retention of one, and after that of the other, it is %+v", s)
	}
	w.use(used.Key.ID, 1, w.clock.Now())
	w.clock.Move(1)
	if s := w.tidied(NewTidier(w.kept)); s.KeysRemoved != 1 {
		t.Errorf("after it, it is %+v", s)
	}
}

func TestTidyRemovesQuotasAndUsesWithTheirKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(0)
	w.role("web", func(r *record.Role) { r.Quota = 640 })
	m, left := w.issue(), w.issue()
	for _, key := range []lifecycle.Minted{m, left} {
		if d, err := w.verify.Verify(t.Context(), verify.Request{Key: key.Text.Presented(), Cost: 1}); err != nil || !d.Valid() {
			t.Fatal(d.Code, err)
		}
	}
	w.must(w.uses.Flush(t.Context(), 0))
	w.revokeNow(m)
	w.clock.Move(1)
	if s := w.tidied(NewTidier(w.kept)); s.KeysRemoved != 1 || s.EntriesRepaired != 0 {
		t.Errorf("it is %+v", s)
	}
	found := 0
	w.each(func(path, value string) {
		if strings.Contains(path, m.Key.ID) || strings.Contains(value, m.Key.ID) {
			t.Errorf("%s is left", path)
		}
		if strings.HasPrefix(path, "quota/") || strings.HasPrefix(path, "usage/key/") {
			found++
		}
	})
	if found != 2 {
		t.Errorf("%d entries of the other key are left", found)
	}
}

func TestTidyPassesOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.retention(0)
	broken, ended := w.issue(), w.issue()
	w.revokeNow(ended)
	path := "key/" + broken.Key.ID[:2] + "/" + broken.Key.ID
	whole := w.disk.Holds(path)
	w.disk.Plant(path, `{"v":7}`)
	w.Store.Invalidate(path)
	w.clock.Move(1)
	s := w.tidied(NewTidier(w.kept))
	if s.State != TidyDone || s.KeysRemoved != 1 || !strings.HasPrefix(s.Error, "1 keys") || !strings.Contains(w.log.String(), broken.Key.ID) {
		t.Errorf("it is %+v; the log says %s", s, w.log)
	}
	w.disk.Plant(path, whole)
	if s := w.tidied(NewTidier(w.kept)); s.State != TidyDone || s.Error != "" {
		t.Errorf("mended it is %+v", s)
	}
	if got := w.code(broken); got != verify.Valid {
		t.Errorf("then the key is %s", got)
	}
}

// TestTidyLooksAgainBeforeItWritesAnEnd: what it saw from afar is old by the time
// it has the key.
func TestTidyLooksAgainBeforeItWritesAnEnd(t *testing.T) {
	t.Parallel()
	for name, come := range map[string]func(w *world, m lifecycle.Minted){
		"a longer idle_timeout": func(w *world, _ lifecycle.Minted) { w.role("web", func(r *record.Role) { r.IdleTimeout = 9 * hour }) },
		"no idle_timeout":       func(w *world, _ lifecycle.Minted) { w.role("web", func(r *record.Role) { r.IdleTimeout = 0 }) },
		"a use that came late":  func(w *world, m lifecycle.Minted) { w.use(m.Key.ID, 1, w.clock.Now()) },
	} {
		w := newWorld(t)
		w.role("web", func(r *record.Role) { r.IdleTimeout = hour })
		m := w.issue()
		w.clock.Move(2 * hour)
		path, came := "key/"+m.Key.ID[:2]+"/"+m.Key.ID, false
		w.disk.Intercept(memory.Before(func(op, p string) error {
			// The key is in memory, so this is the read under its lock.
			if op == "get" && p == path && !came {
				came = true
				come(w, m)
			}
			return nil
		}))
		w.sweep()
		w.disk.Intercept(nil)
		if k := w.key(m.Key.ID); !came || k.Current().ExpiresAt != m.Key.Current().ExpiresAt {
			t.Errorf("%s: the key ends at %d, did it come: %t", name, k.Current().ExpiresAt, came)
		}
	}
}
