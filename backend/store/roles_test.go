package store_test

import (
	"errors"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestARoleIsDeletedOnceItsKeysHaveEnded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(k *record.Key)
		gone   bool // the record, not the hint
		now    record.Time
		err    error
	}{
		"not while one lives":                   {now: now, err: record.ErrRoleInUse},
		"not while one is disabled":             {now: now, change: func(k *record.Key) { k.Disabled = true }, err: record.ErrRoleInUse},
		"not in a key's last second":            {now: 4999, err: record.ErrRoleInUse},
		"not while a renewed one lives":         {now: 5500, change: func(k *record.Key) { k.Versions[0].ExpiresAt, k.Versions[0].Until = 6000, 6000 }, err: record.ErrRoleInUse},
		"when they were revoked":                {now: now, change: func(k *record.Key) { k.RevokedAt = now }},
		"when they expired":                     {now: 5000},
		"when they expired earlier than hinted": {now: now, change: func(k *record.Key) { k.Versions[0].ExpiresAt = now }},
		"when they were of its predecessor":     {now: now, change: func(k *record.Key) { k.RoleUID = "u0" }},
		"when only hints are left":              {now: now, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			if tc.change != nil {
				if _, err := s.UpdateKey(t.Context(), one, func(k *record.Key) error { tc.change(k); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			if tc.gone {
				d.Lose("key/aa/" + one)
				s.Invalidate("key/aa/" + one)
			}
			if err := s.DeleteRole(t.Context(), "web", tc.now, underWeb); !errors.Is(err, tc.err) {
				t.Errorf("it answered %v", err)
			}
			if role, found, _ := s.Role(t.Context(), "web"); found == (tc.err == nil) {
				t.Errorf("then the role is %v", role)
			}
		})
	}
}

func TestAmongManyEndedKeysTheOneThatLivesIsFound(t *testing.T) {
	t.Parallel()
	ids := randomIDs(200)
	_, s := mount(t, ids...)
	for _, id := range ids[:199] {
		if _, err := s.UpdateKey(t.Context(), id, func(k *record.Key) error { return k.Revoke("", now) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteRole(t.Context(), "web", now, underWeb); !errors.Is(err, record.ErrRoleInUse) {
		t.Errorf("it answered %v", err)
	}
}

func TestAHintWhoseTimeHasPassedCostsNoReadOfItsKey(t *testing.T) {
	t.Parallel()
	d, s := mount(t, randomIDs(20)...)
	for _, id := range randomIDs(20) {
		s.Invalidate("key/" + id[:2] + "/" + id)
	}
	if err := s.DeleteRole(t.Context(), "web", 5000, underWeb); err != nil {
		t.Fatal(err)
	}
	for _, line := range d.Noted("get") {
		if line[:8] == "get key/" {
			t.Errorf("it followed a hint: %s", line)
		}
	}
}

func TestARoleThatIsNotThereIsDeletedWithoutAWrite(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	if err := s.DeleteRole(t.Context(), "none", now, underWeb); err != nil || len(d.Noted("delete", "put")) != 0 {
		t.Errorf("it answered %v", err)
	}
}

func TestTroubleKeepsARole(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(op, path string) error{
		"with the role":   memory.On("get", "role/web", errDisk),
		"with the folder": memory.On("list", "role-key/web/u1-0/aa/", errDisk),
		"with a hint":     memory.On("get", "role-key/web/u1-0/aa/", errDisk),
		"with a key":      memory.On("get", "key/aa/", errDisk),
		"with deleting":   memory.On("delete", "role/web", errDisk),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			when := now
			if name == "with deleting" {
				when = 5000
			}
			s.Invalidate("key/aa/" + one)
			d.Intercept(memory.Before(hook))
			if err := s.DeleteRole(t.Context(), "web", when, underWeb); !errors.Is(err, errDisk) {
				t.Errorf("it answered %v", err)
			}
			d.Intercept(nil)
			if role, found, err := s.Role(t.Context(), "web"); !found || err != nil {
				t.Errorf("then the role is %v, %v", role, err)
			}
		})
	}
}

func TestARefusedChangeOfARoleWritesNothing(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	_, err := s.UpdateRole(t.Context(), "web", func(old record.Role, found bool) (record.Role, error) {
		if !found || old.UID != "u1" {
			t.Errorf("the old role is %v", old)
		}
		return record.Role{UID: "other"}, record.Mistake("no")
	})
	if err == nil || len(d.Noted("put")) != 0 {
		t.Errorf("it answered %v", err)
	}
	if role, _, _ := s.Role(t.Context(), "web"); role.UID != "u1" {
		t.Errorf("the role is %v", role)
	}
	_, err = s.UpdateConfig(t.Context(), func(*record.Config) error { return record.Mistake("no") })
	if err == nil || len(d.Noted("put")) != 0 || slices.Contains(d.Paths(), "config") {
		t.Errorf("the configuration answered %v", err)
	}
}
