package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

func TestAStopIsOneWriteAndOutlivesEverything(t *testing.T) {
	t.Parallel()
	d, s := mount(t, randomIDs(20)...)
	for i, owner := range []string{"acme", "nobody", "acme"} {
		o, err := s.StopOwner(t.Context(), owner, "leaked", now)
		if err != nil || o.StoppedAt != now || o.StopReason != "leaked" || o.Generation != []uint64{1, 1, 2}[i] {
			t.Errorf("it answered %+v, %v", o, err)
		}
		if got := d.counted("put", "delete"); !slices.Equal(got, []string{"put owner/" + owner}) {
			t.Errorf("it wrote %q", got)
		}
	}
	for _, id := range randomIDs(20) {
		if _, err := s.DeleteKey(t.Context(), id, func(*record.Key) bool { return false }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SweepLeftovers(t.Context(), func() {}); err != nil {
		t.Fatal(err)
	}
	fresh := store.New(d)
	for owner, want := range map[string]uint64{"acme": 2, "nobody": 1, "unheard-of": 0} {
		if o, err := fresh.Owner(t.Context(), owner); o.Generation != want || err != nil {
			t.Errorf("after the sweep %s is %+v, %v", owner, o, err)
		}
	}
	if names, err := fresh.Owners(t.Context()); !slices.Equal(names, []string{"acme", "nobody"}) || err != nil {
		t.Errorf("owners are %q, %v", names, err)
	}
}

func TestTroubleWithAStopIsAnError(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"get", "put"} {
		d, s := mount(t, one)
		d.before = failing(op, "owner/", errDisk)
		if _, err := s.StopOwner(t.Context(), "acme", "", now); !errors.Is(err, errDisk) {
			t.Errorf("%s: it answered %v", op, err)
		}
		d.before = nil
		if o, err := s.Owner(t.Context(), "acme"); o.Generation != 0 || err != nil {
			t.Errorf("%s: then the owner is %+v, %v", op, o, err)
		}
	}
}

func TestAHeldOwnerWaitsWithItsStop(t *testing.T) {
	t.Parallel()
	_, s := mount(t, one)
	release, second := s.HoldOwner("acme", false), s.HoldOwner("acme", false)
	s.HoldOwner("", true)() // no owner is held by nobody
	stopped := make(chan error)
	go func() {
		_, err := s.StopOwner(t.Context(), "acme", "", now)
		stopped <- err
	}()
	second()
	select {
	case <-stopped:
		t.Error("a held owner was stopped")
	case <-time.After(20 * time.Millisecond):
	}
	release()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Whether an owner has room for another key costs what is needed to tell.
func TestCountingAnOwnersKeysAsksAsLittleAsItCan(t *testing.T) {
	t.Parallel()
	ids := []string{idIn("aa", 1), idIn("aa", 2), idIn("aa", 3), idIn("zz", 1)}
	for name, tc := range map[string]struct {
		role  string
		limit int
		now   record.Time
		do    func(s *store.Store)
		want  int
		hints int
		keys  int
	}{
		"fewer keys of any kind: their names":       {role: "web", limit: 5, now: now, want: 4},
		"fewer of the role: the hints":              {role: "batch", limit: 4, now: now, want: 0, hints: 4},
		"fewer that may live: the hints":            {role: "web", limit: 4, now: 5000, want: 0, hints: 4},
		"as many, it seems: the records":            {role: "web", limit: 4, now: now, want: 4, hints: 4, keys: 4},
		"as many, but one was revoked: the records": {role: "web", limit: 4, now: now, do: func(s *store.Store) { revoke(t, s, ids[1]) }, want: 3, hints: 4, keys: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, ids...)
			if tc.do != nil {
				tc.do(s)
			}
			for _, id := range ids {
				s.Invalidate("key/" + id[:2] + "/" + id)
			}
			d.counted()
			n, err := s.CountKeys(t.Context(), "acme", tc.role, tc.limit, tc.now, ended(tc.now))
			if n != tc.want || err != nil {
				t.Errorf("it counted %d, %v", n, err)
			}
			hints, keys := 0, 0
			for _, line := range d.counted("get") {
				if strings.HasPrefix(line, "get owner-key/") {
					hints++
				} else if strings.HasPrefix(line, "get key/") {
					keys++
				}
			}
			if hints != tc.hints || keys != tc.keys {
				t.Errorf("it read %d hints and %d records", hints, keys)
			}
		})
	}
}

func revoke(t *testing.T, s *store.Store, id string) {
	t.Helper()
	if _, err := s.UpdateKey(t.Context(), id, func(k *record.Key) error { return k.Revoke("", now) }); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyThatCannotBeReadCountsAsOneThatLives(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	d.plant(t, "key/aa/"+one, `no`)
	s.Invalidate("key/aa/" + one)
	if n, err := s.CountKeys(t.Context(), "acme", "web", 1, now, ended(now)); n != 1 || err != nil {
		t.Errorf("it counted %d, %v", n, err)
	}
	if err := s.DeleteRole(t.Context(), "web", now, ended(now)); !errors.Is(err, record.ErrRoleInUse) {
		t.Errorf("the role's deletion answered %v", err)
	}
}

func TestTroubleWithCountingIsAnError(t *testing.T) {
	t.Parallel()
	for _, hook := range []func(op, path string) error{
		failing("list", "owner-key/acme/", errDisk), failing("get", "owner-key/acme/", errDisk), failing("get", "key/", errDisk),
	} {
		d, s := mount(t, one)
		s.Invalidate("key/aa/" + one)
		d.before = hook
		if _, err := s.CountKeys(t.Context(), "acme", "web", 1, now, ended(now)); !errors.Is(err, errDisk) {
			t.Errorf("it answered %v", err)
		}
	}
}

// After a stop none of the role's keys counts, so it can be deleted without a
// look at any.
func TestARolesHintsLieApartByItsStops(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one, idIn("ab", 1))
	_, err := s.UpdateRole(t.Context(), "web", func(old *record.Role) (record.Role, error) {
		r := *old
		r.Raise("leaked", now)
		return r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	later := keyOf(idIn("ac", 1), "acme")
	later.RoleGeneration = 1
	if err := s.CreateKey(t.Context(), later); err != nil || d.holds(t, "role-key/web/u1-1/ac/"+later.ID) == "" {
		t.Fatal(err)
	}
	if err := s.DeleteRole(t.Context(), "web", now, ended(now)); !errors.Is(err, record.ErrRoleInUse) {
		t.Errorf("with a key that came after the stop it answered %v", err)
	}
	revoke(t, s, later.ID)
	d.counted()
	if err := s.DeleteRole(t.Context(), "web", now, ended(now)); err != nil {
		t.Errorf("then it answered %v", err)
	}
	for _, line := range d.counted("get", "list") {
		if strings.Contains(line, "u1-0") {
			t.Errorf("it looked at what was stopped: %s", line)
		}
	}
}
