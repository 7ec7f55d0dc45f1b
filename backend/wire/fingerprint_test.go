package wire_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestAFingerprintIsThatOfWhatIsStored(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := random{rand.New(rand.NewPCG(seed, 3))}
		k, at := r.key("3kTMd9Xq2LwVb7Rc", "")
		print := wire.Fingerprint(&k)
		raw, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		var read record.Key
		if err := json.Unmarshal(raw, &read); err != nil || wire.Fingerprint(&read) != print {
			t.Fatalf("seed %d: read from storage it has another: %v", seed, err)
		}
		// Neither what time does by itself nor what was seen changes it.
		now := k
		now.Settle(0, at+1000)
		s := record.Alone(&k)
		s.Seen = r.seen(&now)
		if got := wire.ShowKey(&k, &now, s).Fingerprint; got != print {
			t.Fatalf("seed %d: it is shown with another", seed)
		}
	}
}

func TestAFingerprintTellsWhateverAGateIsShown(t *testing.T) {
	t.Parallel()
	whole := record.Key{
		ID: "3kTMd9Xq2LwVb7Rc", Role: "web", RoleUID: "u1", CreatedAt: 100,
		Versions: []record.Version{
			{Number: 2, Hash: keyhash.Stored("h"), CreatedAt: 100, ExpiresAt: 900},
			{Number: 1, Hash: keyhash.Stored("h"), CreatedAt: 100, ExpiresAt: 900, SupersededAt: 300, ValidUntil: 400},
		},
	}
	print, tells := wire.Fingerprint(&whole), []string{}
	for name, k := range changed(whole) {
		if wire.Fingerprint(&k) != print {
			tells = append(tells, name)
		}
	}
	for name, v := range changed(whole.Versions[1]) {
		k := whole.Clone()
		if k.Versions[1] = v; wire.Fingerprint(&k) != print {
			tells = append(tells, "Versions."+name)
		}
	}
	slices.Sort(tells)
	want := []string{
		"CreatedAt", "Disabled", "Limits", "Metadata", "Name", "OrphanedAt", "Owner", "OwnerGeneration", "Parent", "RevokedAt", "Role", "RoleGeneration", "RoleUID", "Scopes",
		"Versions.ActivatedAt", "Versions.CancelledAt", "Versions.CreatedAt", "Versions.ExpiresAt", "Versions.Grace", "Versions.Number", "Versions.PendingUntil", "Versions.SupersededAt", "Versions.ValidUntil",
	}
	if !slices.Equal(tells, want) {
		t.Errorf("it tells of %q", tells)
	}
	forgotten, bound := whole.Clone(), whole.Clone()
	forgotten.Versions[1].Hash = keyhash.PHC{}
	bound.BoundCIDRs = networks(t, "10.0.0.0/8")
	rehashed := whole.Clone()
	rehashed.Versions[0].Hash = keyhash.Stored("another")
	if wire.Fingerprint(&forgotten) == print || wire.Fingerprint(&bound) == print || wire.Fingerprint(&rehashed) != print {
		t.Error("a forgotten version and a network are told, another hash is not")
	}
}

// changed are copies of v by the field that was changed in them, of those that can be
// counted or counted up.
func changed[V any](v V) map[string]V {
	all := make(map[string]V)
	for i := range reflect.TypeFor[V]().NumField() {
		c := v
		switch f := reflect.ValueOf(&c).Elem().Field(i); f.Kind() {
		case reflect.Int, reflect.Int64:
			f.SetInt(f.Int() + 7)
		case reflect.Uint64:
			f.SetUint(f.Uint() + 7)
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.String:
			f.SetString(f.String() + "x")
		case reflect.Slice:
			if f.Type().Elem().Kind() != reflect.String {
				continue
			}
			f.Set(reflect.ValueOf([]string{"x"}))
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"x": "y"}))
		case reflect.Struct:
			if limits, ok := f.Addr().Interface().(*record.Limits); ok {
				limits.Quota = 7
			}
		}
		all[reflect.TypeFor[V]().Field(i).Name] = c
	}
	return all
}

func TestRolesAndOwnersHaveFingerprints(t *testing.T) {
	t.Parallel()
	a, b := record.Role{UID: "u1"}, record.Role{UID: "u1", Description: "another", AllowedScopes: []string{}}
	if wire.ShowRole(&a).Fingerprint != wire.ShowRole(&b).Fingerprint {
		t.Error("what no gate is shown of a role changes its fingerprint")
	}
	if b.Disabled = true; wire.ShowRole(&a).Fingerprint == wire.ShowRole(&b).Fingerprint {
		t.Error("a role that is disabled has the fingerprint of one that is not")
	}
	if wire.ShowOwner(&record.Owner{}).Fingerprint == wire.ShowOwner(&record.Owner{Stop: record.Stop{Generation: 1}}).Fingerprint {
		t.Error("an owner that was stopped has the fingerprint of one that was not")
	}
}

func TestWhatIsKnownIsOneText(t *testing.T) {
	t.Parallel()
	k := record.Key{Versions: []record.Version{{Number: 1}}}
	held := make([]wire.Held, wire.MaxKnown)
	for i := range held {
		held[i] = wire.Held{ID: "3kTMd9Xq2LwVb7Rc", Fingerprint: wire.Fingerprint(&k)}
	}
	if got, err := wire.Split(wire.Join(held)); err != nil || !slices.Equal(got, held) {
		t.Errorf("%d are read as %d, %v", len(held), len(got), err)
	}
	if got, err := wire.Split(""); err != nil || len(got) != 0 {
		t.Errorf("nothing is read as %v, %v", got, err)
	}
	one := wire.Join(held[:1])
	for _, broken := range []string{one[1:], one + " ", one[:15] + "_" + one[16:], one[:27] + "=", one[:27] + "\n", wire.Join(held) + one, strings.ToUpper(one) + "x", "💥" + one[4:27] + "💥"} {
		if got, err := wire.Split(broken); err == nil || strings.Contains(err.Error(), one[:4]) {
			t.Errorf("%.40q is read as %d, %v", broken, len(got), err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("3kTMd9Xq2LwVb7RcAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, known string) {
		if held, err := wire.Split(known); err == nil && wire.Join(held) != known {
			t.Errorf("%q is read as another", known)
		}
	})
}

// What a gate reads comes from the network. Whatever it is, it is no record, or one that
// can be decided by.
func FuzzTold(f *testing.F) {
	r := random{rand.New(rand.NewPCG(1, 4))}
	for range 20 {
		k, _ := r.key("3kTMd9Xq2LwVb7Rc", "")
		role, owner := r.role(), record.Owner{Stop: r.stop()}
		raw, err := json.Marshal(wire.Told{
			Results: []wire.Result{{KeyID: k.ID, Version: 1}}, Records: map[string]*wire.Key{k.ID: wire.ShowKey(&k, &k, record.Alone(&k)), "gone": nil},
			Roles: map[string]*wire.Role{"web": wire.ShowRole(&role)}, Owners: map[string]*wire.Owner{"acme": wire.ShowOwner(&owner)},
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, body []byte) {
		var answer wire.Told
		if json.Unmarshal(body, &answer) != nil {
			return
		}
		for id, shown := range answer.Records {
			if shown == nil {
				continue
			}
			k, err := shown.Record(id, 150)
			for _, role := range answer.Roles {
				if err != nil || role == nil {
					continue
				}
				if r, err := role.Record(); err == nil {
					s := record.Standing{Role: k.IssuedUnder(&r)}
					k.Settle(0, 200)
					for i := range k.Versions {
						k.RotationDue(&k.Versions[i], s, 200)
						r.Brownout(&k.Versions[i], 200)
					}
				}
			}
		}
	})
}
