package store_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/inspect"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func stored(t *testing.T, k record.Key) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"v": 1, "record": k})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestCheckFindsEveryKindOfDamage(t *testing.T) {
	t.Parallel()
	older := func(k *record.Key, versions ...record.Version) { k.Versions = append(k.Versions, versions...) }
	was := func(number int, validUntil record.Time) record.Version {
		return record.Version{Number: number, CreatedAt: 900, ExpiresAt: 4900, SupersededAt: 1000, ValidUntil: validUntil}
	}
	for name, tc := range map[string]struct {
		path     string
		value    string
		change   func(k *record.Key) // plants the changed record of key one
		at       string              // where the problem is found, if not at path
		leftover bool
	}{
		"a hint of no key":          {path: "role-key/web/u1-0/zz/" + idIn("zz", 1), value: rightHint, leftover: true},
		"an owner's hint of no key": {path: "owner-key/acme/zz/" + idIn("zz", 1), value: rightHint, leftover: true},
		"a hint of another role":    {path: "role-key/batch/u1-0/aa/" + one, value: rightHint, leftover: true},
		"a damaged hint":            {path: roleHint, value: `{"v":1,`},
		"a damaged role":            {path: "role/web", value: `{"v":9}`},
		"a damaged owner":           {path: "owner/acme", value: `[]`},
		"a damaged configuration":   {path: "config", value: `no`},
		"a damaged tag key":         {path: "tag-key", value: `{"v":0,"record":{}}`},
		"a damaged record":          {path: "key/aa/" + one, value: `{"v":1,"record":{"id":`},
		"an entry of somebody else": {path: "what/is/this", value: `{"v":1,"record":{}}`},
		"a record under another id": {change: func(k *record.Key) { k.ID = idIn("aa", 2) }},
		"a record in another shard": {path: "key/ab/" + one, value: "moved"},
		"a record under no id":      {change: func(k *record.Key) { k.ID = "../etc/passwd123" }},
		"no version":                {change: func(k *record.Key) { k.Versions = nil }},
		"a version twice":           {change: func(k *record.Key) { older(k, was(1, 1000)) }},
		"a version not superseded": {change: func(k *record.Key) {
			k.Versions[0].Number = 2
			older(k, record.Version{Number: 1, ExpiresAt: 10, ValidUntil: 5})
		}},
		"a grace beyond its version":    {change: func(k *record.Key) { k.Versions[0].Number = 2; older(k, was(1, 4901)) }},
		"three versions that work":      {change: func(k *record.Key) { k.Versions[0].Number = 3; older(k, was(2, 2000), was(1, 1500)) }},
		"a hash that cannot be matched": {change: func(k *record.Key) { k.Versions[0].Hash = keyhash.Stored(phc[:40]) }},
		"a role's hint that is missing": {change: func(k *record.Key) { k.RoleGeneration = 1 }, at: "role-key/web/u1-1/aa/" + one},
		"an owner's that is missing":    {change: func(k *record.Key) { k.Owner = "eve" }, at: "owner-key/eve/aa/" + one},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := mount(t, one)
			check(t, d, 0)
			value, path := tc.value, tc.path
			if value == "moved" {
				value = d.Holds("key/aa/" + one)
			}
			if tc.change != nil {
				k := keyOf(one, "acme")
				tc.change(&k)
				path, value = "key/aa/"+one, stored(t, k)
			}
			d.Plant(path, value)
			if tc.at != "" {
				path = tc.at
			}
			problems, err := inspect.Mount(t.Context(), d.Clone(), now)
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, p := range problems {
				found = found || p.Path == path && p.Leftover == tc.leftover
				if !strings.HasPrefix(p.String(), p.Path+": ") || strings.Contains(p.What, "argon2id") {
					t.Errorf("it says %q", p)
				}
			}
			if !found {
				t.Errorf("it found %v", problems)
			}
		})
	}
}

func TestCheckFindsNothingInAMountThatLived(t *testing.T) {
	t.Parallel()
	d, s := mount(t, randomIDs(10)...)
	for i, id := range randomIDs(10) {
		_, err := s.UpdateKey(t.Context(), id, func(k *record.Key) error {
			for n := 2; n < 2+i; n++ {
				k.Supersede(record.Version{Number: n, Hash: keyhash.Stored(phc), CreatedAt: now, ExpiresAt: 6000, Until: 7000}, 100, now)
			}
			if i%3 == 0 {
				return k.Revoke("", now)
			}
			k.Forget(0, now)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%4 == 0 {
			if _, err := s.RepairHints(t.Context(), id, endedAt(now)); err != nil {
				t.Fatal(err)
			}
		}
	}
	check(t, d, 0)
}

func TestCheckSaysWhenItCannotLook(t *testing.T) {
	t.Parallel()
	d, _ := mount(t, one)
	d.Intercept(memory.Before(memory.On("list", "", errDisk)))
	if _, err := inspect.Mount(t.Context(), d, now); !errors.Is(err, errDisk) {
		t.Errorf("it answered %v", err)
	}
	d.Intercept(memory.Before(memory.On("get", "key/", errDisk)))
	if problems, err := inspect.Mount(t.Context(), d, now); err != nil || len(problems) == 0 {
		t.Errorf("it found %v, %v", problems, err)
	}
}
