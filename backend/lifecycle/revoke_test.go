package lifecycle

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestARevocationIsFinalAndOfAllVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.issue()
	next, err := w.Rotate(t.Context(), Target{ID: old.Key.ID}, RotateRequest{})
	w.must(err)
	if w.code(old) != verify.Valid || w.code(next) != verify.Valid {
		t.Fatal("not valid before")
	}
	k, err := w.Revoke(t.Context(), Target{ID: old.Key.ID, Owner: "acme"}, "leaked")
	if err != nil || k.RevokedAt != start || k.RevokeReason != "leaked" {
		t.Errorf("it answered %+v, %v", k, err)
	}
	if w.code(old) != verify.Revoked || w.code(next) != verify.Revoked {
		t.Errorf("then they are %s and %s", w.code(old), w.code(next))
	}
	if got := w.events[len(w.events)-1]; got != "revoke "+k.ID {
		t.Errorf("the event is %q", got)
	}
	w.clock.Move(60)
	w.quiet(func() {
		for _, again := range []func() (record.Key, error){
			func() (record.Key, error) { return w.Revoke(t.Context(), Target{ID: k.ID}, "again") },
			func() (record.Key, error) { return w.RevokeByKey(t.Context(), next.Text.Presented(), "again") },
			func() (record.Key, error) { return w.RevokeByKey(t.Context(), old.Text.Presented(), "again") },
		} {
			if k, err := again(); err != nil || k.RevokedAt != start || k.RevokeReason != "leaked" {
				t.Errorf("repeated it answered %d %q, %v", k.RevokedAt, k.RevokeReason, err)
			}
		}
	})
}

func TestTheHolderRevokesByAnyVersionThatWorks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(w *world)
		old  bool
		want error
	}{
		"by the newest":                      {want: nil},
		"by one in its grace":                {old: true, want: nil},
		"of a disabled key":                  {do: func(w *world) { w.role("web", func(r *record.Role) { r.Disabled = true }) }, want: nil},
		"but not by one whose grace is over": {do: func(w *world) { w.clock.Move(hour) }, old: true, want: record.ErrVersionOver},
		"but not of an expired key":          {do: func(w *world) { w.clock.Move(10 * hour) }, want: record.ErrKeyEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.issue()
			next, err := w.Rotate(t.Context(), Target{ID: old.Key.ID}, RotateRequest{Grace: new(hour)})
			w.must(err)
			if tc.do != nil {
				tc.do(w)
			}
			presented := next
			if tc.old {
				presented = old
			}
			k, err := w.RevokeByKey(t.Context(), presented.Text.Presented(), "mine")
			if !errors.Is(err, tc.want) || err == nil && k.RevokeReason != "mine" {
				t.Errorf("it answered %q, %v", k.RevokeReason, err)
			}
			if got := w.key(old.Key.ID).RevokedAt != 0; got != (tc.want == nil) {
				t.Errorf("revoked: %v", got)
			}
		})
	}
}

func TestWhoseKeyItIsNotDoesNotFindIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	w.quiet(func() {
		for name, target := range map[string]Target{"another owner": {ID: m.Key.ID, Owner: "eve"}, "an unknown id": {ID: strings.Repeat("0", 16)}, "no id": {}} {
			if _, err := w.Revoke(t.Context(), target, ""); err != record.ErrKeyNotFound {
				t.Errorf("%s: revoke answered %v", name, err)
			}
			if _, err := w.Find(t.Context(), target); err != record.ErrKeyNotFound {
				t.Errorf("%s: find answered %v", name, err)
			}
			if _, err := w.Update(t.Context(), target, record.Change{}); err != record.ErrKeyNotFound {
				t.Errorf("%s: update answered %v", name, err)
			}
			if err := w.Delete(t.Context(), target); err != nil {
				t.Errorf("%s: delete answered %v", name, err)
			}
		}
		if _, err := w.Revoke(t.Context(), Target{ID: m.Key.ID}, strings.Repeat("x", 257)); !errors.As(err, new(record.Mistake)) {
			t.Errorf("a long reason answered %v", err)
		}
	})
	if got := w.code(m); got != verify.Valid {
		t.Errorf("it is %s", got)
	}
}

func TestAnUpdateChangesAKeyThatHasNotEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	target := Target{ID: m.Key.ID, Owner: "acme"}
	k, err := w.Update(t.Context(), target, record.Change{Name: new("new"), Disabling: record.Disabling{Disabled: new(true)}})
	if err != nil || k.Name != "new" || w.code(m) != verify.Disabled || w.events[1] != "update "+k.ID {
		t.Errorf("it answered %+v, %v; events %q", k, err, w.events)
	}
	if _, err := w.Update(t.Context(), target, record.Change{Disabling: record.Disabling{Disabled: new(false)}}); err != nil || w.code(m) != verify.Valid {
		t.Errorf("a disabled key answered %v", err)
	}
	w.quiet(func() {
		if _, err := w.Update(t.Context(), target, record.Change{Scopes: &[]string{"a b"}}); !errors.As(err, new(record.Mistake)) {
			t.Errorf("a mistake answered %v", err)
		}
	})
	for name, end := range map[string]func(w *world, m Minted){
		"revoked":                func(w *world, m Minted) { w.revokeNow(m) },
		"expired":                func(w *world, _ Minted) { w.clock.Move(10 * hour) },
		"of a role that is gone": func(w *world, _ Minted) { w.must(w.Store.DeleteRole(t.Context(), "web", start.Add(11*hour), nil)) },
	} {
		w := newWorld(t)
		m := w.issue()
		end(w, m)
		w.quiet(func() {
			if _, err := w.Update(t.Context(), Target{ID: m.Key.ID}, record.Change{Disabling: record.Disabling{Disabled: new(false)}}); !errors.Is(err, record.ErrKeyEnded) {
				t.Errorf("%s it answered %v", name, err)
			}
		})
	}
}

func TestADeletedKeyIsAsIfItNeverWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.issue()
	if w.code(m) != verify.Valid {
		t.Fatal("not valid before")
	}
	w.must(w.Delete(t.Context(), Target{ID: m.Key.ID, Owner: "acme"}))
	if got := w.code(m); got != verify.Invalid {
		t.Errorf("it is %s", got)
	}
	if want := []string{"issue " + m.Key.ID, "delete " + m.Key.ID}; !slices.Equal(w.events, want) {
		t.Errorf("the events are %q", w.events)
	}
	w.quiet(func() {
		w.must(w.Delete(t.Context(), Target{ID: m.Key.ID}))
		w.must(w.EndLease(t.Context(), m.Key.ID, 1))
	})
}

func TestTheEndOfALeaseEndsItsVersion(t *testing.T) {
	t.Parallel()
	w, old := leasedWorld(t)
	next, err := w.Rotate(t.Context(), Target{ID: old.Key.ID}, RotateRequest{})
	w.must(err)
	events := len(w.events)
	w.must(w.EndLease(t.Context(), old.Key.ID, 1))
	if w.code(old) != verify.Superseded || w.code(next) != verify.Valid || len(w.events) != events {
		t.Errorf("after the old lease's end they are %s and %s", w.code(old), w.code(next))
	}
	w.quiet(func() { w.must(w.EndLease(t.Context(), old.Key.ID, 1)) })
	w.must(w.EndLease(t.Context(), old.Key.ID, 2))
	if w.code(next) != verify.Revoked || w.events[events] != "revoke "+old.Key.ID {
		t.Errorf("after the newest lease's end it is %s, events %q", w.code(next), w.events[events:])
	}
	w.quiet(func() {
		w.must(w.EndLease(t.Context(), old.Key.ID, 2))
		w.must(w.EndLease(t.Context(), old.Key.ID, 99))
		w.must(w.EndLease(t.Context(), "no id", 1))
	})
}

func TestTroubleWithTheEndOfALeaseIsAnErrorToRepeat(t *testing.T) {
	t.Parallel()
	w, m := leasedWorld(t)
	w.disk.Intercept(memory.Before(fails("put", "key/")))
	if err := w.EndLease(t.Context(), m.Key.ID, 1); !errors.Is(err, errDisk) || len(w.events) != 1 {
		t.Errorf("it answered %v, events %q", err, w.events)
	}
	w.disk.Intercept(nil)
	w.must(w.EndLease(t.Context(), m.Key.ID, 1))
	if got := w.code(m); got != verify.Revoked {
		t.Errorf("it is %s", got)
	}
}

// A lease that ended with its version ended it, whatever time it is later.
func TestTheEndOfALeaseIsRememberedWhenTheTimeGoesBack(t *testing.T) {
	t.Parallel()
	w, m := leasedWorld(t)
	w.clock.Move(10 * hour)
	w.quiet(func() { w.must(w.EndLease(t.Context(), m.Key.ID, 1)) })
	w.clock.Move(-hour)
	if got := w.code(m); got != verify.Expired {
		t.Errorf("without its lease it is %s", got)
	}
}
