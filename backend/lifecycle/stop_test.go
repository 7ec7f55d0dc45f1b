package lifecycle

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestAStopEndsAllThatWasIssuedAndNothingThatComes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		stop func(w *world, reason string) (record.Halt, error)
	}{
		"of the owner": {func(w *world, reason string) (record.Halt, error) {
			return w.StopOwner(w.Context(), "acme", reason, "")
		}},
		"of the role": {func(w *world, reason string) (record.Halt, error) { return w.StopRole(w.Context(), "web", reason, "") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, old := delegating(t)
			child := w.delegate(old, record.Request{})
			rotated, err := w.Rotate(t.Context(), Target{ID: w.issue().Key.ID}, RotateRequest{})
			w.must(err)
			writes := w.disk.Writes()
			stop, err := tc.stop(w, "leaked")
			w.must(err)
			if got := w.disk.Writes() - writes; got != 1 || stop.At != start || stop.Reason != "leaked" || stop.Generation != 1 {
				t.Errorf("with %d writes it answered %+v", got, stop)
			}
			if got := w.events[len(w.events)-1]; got != "stop " {
				t.Errorf("the event is %q", got)
			}
			for _, m := range []Minted{old, child, rotated} {
				if got := w.code(m); got != verify.Revoked {
					t.Errorf("a key of before is %s", got)
				}
			}
			if _, err := w.Rotate(t.Context(), Target{ID: old.Key.ID}, RotateRequest{}); !errors.Is(err, record.ErrKeyNotActive) {
				t.Errorf("its rotation answered %v", err)
			}
			if _, err := w.Update(t.Context(), Target{ID: old.Key.ID}, record.Change{Name: new("n")}); !errors.Is(err, record.ErrKeyEnded) {
				t.Errorf("its change answered %v", err)
			}
			k, err := w.Revoke(t.Context(), Target{ID: old.Key.ID}, "mine")
			if at, why := k.Revocation(w.standing(k)); err != nil || at != start || why != "leaked" {
				t.Errorf("its revocation answered %d %q, %v", at, why, err)
			}
			next := w.issue()
			if got := w.code(next); got != verify.Valid {
				t.Errorf("a key of after is %s", got)
			}
			if again, err := tc.stop(w, ""); err != nil || again.Generation != 2 || w.code(next) != verify.Revoked {
				t.Errorf("repeated it answered %+v, %v, and the key of after is %s", again, err, w.code(next))
			}
		})
	}
}

func (w *world) standing(k record.Key) record.Standing {
	w.Helper()
	l, err := w.Lineage(w.Context(), k)
	w.must(err)
	return l.Standing
}

func TestWhatAStopRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if s, err := w.StopOwner(t.Context(), "nobody", "", ""); err != nil || s.Generation != 1 || s.At != start {
		t.Errorf("an owner without keys answers %+v, %v", s, err)
	}
	w.quiet(func() {
		if _, err := w.StopRole(t.Context(), "none", "", ""); !errors.Is(err, record.ErrRoleNotFound) {
			t.Errorf("a role that is not there answers %v", err)
		}
		for _, name := range []string{"", "a/b", ".."} {
			if _, err := w.StopOwner(t.Context(), name, "", ""); !isMistake(err) {
				t.Errorf("an owner %q answers %v", name, err)
			}
			if _, err := w.StopRole(t.Context(), name, "", ""); !isMistake(err) {
				t.Errorf("a role %q answers %v", name, err)
			}
		}
		for _, reason := range []string{strings.Repeat("x", 257), "a\nb"} {
			_, err := w.StopOwner(t.Context(), "acme", reason, "")
			_, again := w.StopRole(t.Context(), "web", reason, "")
			if !isMistake(err) || !isMistake(again) {
				t.Errorf("a reason of %d bytes answers %v, %v", len(reason), err, again)
			}
		}
	})
	w.disk.Intercept(memory.Before(fails("put", "")))
	_, err := w.StopOwner(t.Context(), "acme", "", "")
	_, again := w.StopRole(t.Context(), "web", "", "")
	if !errors.Is(err, errDisk) || !errors.Is(again, errDisk) || len(w.events) != 1 {
		t.Errorf("with trouble it answers %v, %v; events %q", err, again, w.events)
	}
}

// A key is of before or of after a stop, whenever it comes: none that was
// answered after the stop's answer is ended by it, none before survives it.
func TestKeysThatAreIssuedDuringAStopAreOfBeforeOrAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var minted []Minted
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				m, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "acme"}})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				minted = append(minted, m)
				mu.Unlock()
			}
		})
	}
	for range 3 {
		before := func() []Minted { mu.Lock(); defer mu.Unlock(); return slices.Clone(minted) }()
		if _, err := w.StopOwner(t.Context(), "acme", "", ""); err != nil {
			t.Error(err)
		}
		for _, m := range before {
			if got := w.code(m); got != verify.Revoked {
				t.Errorf("a key that was answered before the stop is %s", got)
			}
		}
	}
	group.Wait()
	if got := w.code(w.issue()); got != verify.Valid {
		t.Errorf("a key of after all stops is %s", got)
	}
	for _, m := range minted {
		owner, _, err := w.Store.Owner(t.Context(), "acme")
		if want := m.Key.OwnerGeneration == owner.Generation; err != nil || (w.code(m) == verify.Valid) != want {
			t.Errorf("a key of generation %d is %s after %d stops", m.Key.OwnerGeneration, w.code(m), owner.Generation)
		}
	}
}

func TestAnOwnerHasNoMoreKeysThanTheRoleAllows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 2 })
	w.role("other", func(r *record.Role) { r.UID = "u2" })
	issue := func(role, owner string) (Minted, error) {
		return w.Issue(t.Context(), IssueRequest{Role: role, Want: record.Request{Owner: owner}})
	}
	first, second := w.issue(), w.issue()
	full := func(when string) {
		t.Helper()
		if _, err := issue("web", "acme"); !errors.Is(err, record.ErrOwnerFull) {
			t.Errorf("%s it answered %v", when, err)
		}
	}
	full("with two keys")
	for _, other := range [][2]string{{"web", "other"}, {"other", "acme"}, {"web", ""}, {"web", ""}, {"web", ""}} {
		if _, err := issue(other[0], other[1]); err != nil {
			t.Errorf("%v answered %v", other, err)
		}
	}
	w.disable(first)
	full("with a disabled one")
	if _, err := w.Rotate(t.Context(), Target{ID: second.Key.ID}, RotateRequest{}); err != nil {
		t.Errorf("a rotation answered %v", err)
	}
	w.revokeNow(first)
	if _, err := issue("web", "acme"); err != nil {
		t.Errorf("in the place of a revoked one it answered %v", err)
	}
	full("then")
	if _, err := w.StopOwner(t.Context(), "acme", "", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := issue("web", "acme"); err != nil {
		t.Errorf("after a stop it answered %v", err)
	}
	w.clock.Move(10 * hour)
	w.issue()
	w.issue()
	full("after the others expired")
}

func TestManyAtOnceGetNoMoreThanTheRoleAllows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.MaxKeysPerOwner = 5 })
	var group sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for range 12 {
		group.Go(func() {
			_, err := w.Issue(t.Context(), IssueRequest{Role: "web", Want: record.Request{Owner: "newcomer"}})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got++
			} else if !errors.Is(err, record.ErrOwnerFull) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got != 5 {
		t.Errorf("it minted %d", got)
	}
}
