package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestAStopIsOneWriteAndOutlivesEverything(t *testing.T) {
	t.Parallel()
	d, s := mount(t, randomIDs(20)...)
	for i, owner := range []string{"acme", "nobody", "acme"} {
		o, err := s.StopOwner(t.Context(), owner, "leaked", now, "")
		if err != nil || o.Last().At != now || o.Last().Reason != "leaked" || o.Generation != []uint64{1, 1, 2}[i] {
			t.Errorf("it answered %+v, %v", o, err)
		}
		if got := d.Noted("put", "delete"); !slices.Equal(got, []string{"put owner/" + owner}) {
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
		if o, _, err := fresh.Owner(t.Context(), owner); o.Generation != want || err != nil {
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
		d.Intercept(memory.Before(memory.On(op, "owner/", errDisk)))
		if _, err := s.StopOwner(t.Context(), "acme", "", now, ""); !errors.Is(err, errDisk) {
			t.Errorf("%s: it answered %v", op, err)
		}
		d.Intercept(nil)
		if o, _, err := s.Owner(t.Context(), "acme"); o.Generation != 0 || err != nil {
			t.Errorf("%s: then the owner is %+v, %v", op, o, err)
		}
	}
}

func revoke(t *testing.T, s *store.Store, id string) {
	t.Helper()
	if _, err := s.UpdateKey(t.Context(), id, func(k *record.Key) error { return k.Revoke("", now) }); err != nil {
		t.Fatal(err)
	}
}

// After a stop none of the role's keys counts, so it can be deleted without a
// look at any.
func TestARolesHintsLieApartByItsStops(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one, idIn("ab", 1))
	if _, err := s.StopRole(t.Context(), "web", "leaked", now, "", record.Role{}); err != nil {
		t.Fatal(err)
	}
	later := keyOf(idIn("ac", 1), "acme")
	later.RoleGeneration = 1
	if err := s.CreateKey(t.Context(), later); err != nil || d.Holds("role-key/web/u1-1/ac/"+later.ID) == "" {
		t.Fatal(err)
	}
	if err := s.DeleteRole(t.Context(), "web", now, underWeb); !errors.Is(err, record.ErrRoleInUse) {
		t.Errorf("with a key that came after the stop it answered %v", err)
	}
	revoke(t, s, later.ID)
	d.Noted()
	if err := s.DeleteRole(t.Context(), "web", now, underWeb); err != nil {
		t.Errorf("then it answered %v", err)
	}
	for _, line := range d.Noted("get", "list") {
		if strings.Contains(line, "u1-0") {
			t.Errorf("it looked at what was stopped: %s", line)
		}
	}
}
