package wire_test

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestWhatGotLostIsReadAsTheNarrowest(t *testing.T) {
	t.Parallel()
	k := record.Key{
		ID: "3kTMd9Xq2LwVb7Rc", Role: "web", RoleUID: "u1", RoleGeneration: 3, Owner: "acme", OwnerGeneration: 3, Parent: "0kTMd9Xq2LwVb7Rc", Scopes: []string{"read"},
		BoundCIDRs: networks(t, "10.0.0.0/8"), Limits: record.Limits{RateLimit: 5, RateLimitPeriod: 1, Quota: 5, QuotaPeriod: 60}, CreatedAt: 100,
		Versions: []record.Version{{Number: 1, Hash: keyhash.Stored("h"), CreatedAt: 100, ExpiresAt: horizon}},
	}
	role := record.Role{
		UID: "u1", AllowedScopes: []string{"*"}, BoundCIDRs: networks(t, "10.0.0.0/8"), RequireScopes: true, IdleTimeout: 100, GraceBrownout: true,
		Limits: k.Limits, Stop: record.Stop{Generation: 3, Halts: []record.Halt{{Generation: 3}}},
	}
	owner := record.Owner{Stop: role.Stop}
	wholeKey, wholeRole := decides(t, wire.ShowKey(&k, &k, record.Alone(&k)), wire.ShowRole(&role), wire.ShowOwner(&owner))
	if wholeKey == nil || wholeKey.State(wholeRole, 200) != record.Active {
		t.Fatalf("whole it is %+v", wholeKey)
	}
	indifferent := []string{"metadata", "name", "rotation_period", "fingerprint"} // they restrict nothing
	for _, of := range []any{wire.ShowKey(&k, &k, record.Alone(&k)), wire.ShowRole(&role), wire.ShowOwner(&owner)} {
		for _, field := range fieldsOf(t, of) {
			got, s := decides(t, without(t, of, field, wire.ShowKey(&k, &k, record.Alone(&k)), wire.ShowRole(&role), wire.ShowOwner(&owner))...)
			if slices.Contains(indifferent, field) {
				continue
			}
			if narrower := got == nil || narrow(got, s, wholeKey, wholeRole); !narrower {
				t.Errorf("%T without %s is decided by as %+v under %+v", of, field, got, s)
			}
		}
	}
}

func networks(t *testing.T, entries ...string) network.List {
	t.Helper()
	l, err := network.Parse(entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fieldsOf are the names of what is shown.
func fieldsOf(t *testing.T, shown any) []string {
	return slices.Sorted(maps.Keys(told[map[string]any](t, shown)))
}

// without is all that is shown, one of them without one field.
func without(t *testing.T, of any, field string, all ...any) []any {
	for i := range all {
		if reflect.TypeOf(all[i]) == reflect.TypeOf(of) {
			cut := told[map[string]any](t, of)
			delete(cut, field)
			all[i] = cut
		}
	}
	return all
}

// decides is the key and the standing by which a gate decides, or nil where it does not.
func decides(t *testing.T, shown ...any) (*record.Key, record.Standing) {
	t.Helper()
	key, role, owner := told[wire.Key](t, shown[0]), told[wire.Role](t, shown[1]), told[wire.Owner](t, shown[2])
	k, err := key.Record("3kTMd9Xq2LwVb7Rc", 150)
	r, roleErr := role.Record()
	if err != nil || roleErr != nil {
		return nil, record.Standing{}
	}
	return &k, record.Standing{Role: k.IssuedUnder(&r), Owner: owner.Record(), AncestorsActive: true}
}

// narrow tells whether something is left of less than there was.
func narrow(k *record.Key, s record.Standing, whole *record.Key, wholly record.Standing) bool {
	if k.State(s, 200) != record.Active {
		return true
	}
	l, all := lineage.Lineage{Key: *k, Standing: s}, lineage.Lineage{Key: *whole, Standing: wholly}
	inside := netip.MustParseAddr("10.1.1.1")
	switch a, b := l.Limits(), all.Limits(); {
	case len(l.Scopes()) < len(all.Scopes()), !l.Admits(inside):
		return true
	case a.RateLimit == 0 || a.RateLimit > b.RateLimit, a.Quota == 0 || a.Quota > b.Quota, a.RateLimitPeriod < b.RateLimitPeriod, a.QuotaPeriod != 0 && a.QuotaPeriod < b.QuotaPeriod:
		return false
	}
	return l.Admits(netip.Addr{}) == all.Admits(netip.Addr{}) && l.RequiresScopes() && s.Role.IdleTimeout > 0 && s.Role.IdleTimeout <= wholly.Role.IdleTimeout &&
		s.Role.GraceBrownout && k.CreatedAt <= whole.CreatedAt && k.Owner != "" && k.Parent != ""
}
