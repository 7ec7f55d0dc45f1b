package verify_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// family makes the mount's key the child of "parent", which is the child of
// "root", all of role web and owner acme.
func family(t *testing.T) *mount {
	m := newMount(t)
	for id, parent := range map[string]string{"root": "", "parent": "root"} {
		k := m.keys[keyID].Clone()
		k.ID, k.Parent, k.Scopes = id, parent, []string{"read:*"}
		k.Versions = []record.Version{{Number: 3, CreatedAt: 1000, ExpiresAt: 9000}}
		m.keys[id] = k
	}
	m.change(func(k *record.Key) { k.Parent, k.Depth = "parent", 2 })
	return m
}

// edit changes one of the family.
func (m *mount) edit(id string, change func(k *record.Key)) {
	k := m.keys[id].Clone()
	change(&k)
	m.keys[id] = k
}

func TestAChildVerifiesAsLongAsAllAboveItDo(t *testing.T) {
	t.Parallel()
	later := func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.Versions[0].ExpiresAt = 2100 }) }
	for name, tc := range map[string]struct {
		do   func(m *mount, id string)
		want verify.Code
	}{
		"unchanged":         {func(*mount, string) {}, verify.Valid},
		"revoked":           {func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.RevokedAt = 2050 }) }, verify.ParentEnded},
		"expired":           {later, verify.ParentEnded},
		"disabled":          {func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.Disabled = true }) }, verify.ParentEnded},
		"orphaned":          {func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.OrphanedAt = 2050 }) }, verify.ParentEnded},
		"gone":              {func(m *mount, id string) { delete(m.keys, id) }, verify.ParentEnded},
		"its own ancestor":  {func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.Parent = id }) }, verify.ParentEnded},
		"its child's child": {func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.Parent = keyID }) }, verify.ParentEnded},
		"of another role":   {func(m *mount, id string) { m.edit(id, func(k *record.Key) { k.RoleUID = "u0" }) }, verify.ParentEnded},
		"of a stopped owner": {func(m *mount, id string) {
			m.edit(id, func(k *record.Key) { k.Owner = "other" })
			m.owners["other"] = stopped
		}, verify.ParentEnded},
		"idle": {func(m *mount, id string) {
			m.roles["web"].IdleTimeout = 500
			m.lastUsed[keyID] = 2099
			m.lastUsed["root"] = 2099
			m.lastUsed["parent"] = 2099
			m.lastUsed[id] = 1600
		}, verify.ParentEnded},
		"marked as idle": {func(m *mount, id string) { m.markIdle(id) }, verify.ParentEnded},
		"rotated, unaffected": {func(m *mount, id string) {
			m.edit(id, func(k *record.Key) { k.Supersede(record.Version{Number: 4, ExpiresAt: 9000}, 0, 2050) })
		}, verify.Valid},
	} {
		for _, id := range []string{"parent", "root"} {
			t.Run(fmt.Sprintf("%s is %s", id, name), func(t *testing.T) {
				t.Parallel()
				m := family(t)
				tc.do(m, id)
				if d := m.ask(t, verify.Request{}); d.Code != tc.want || !d.Proven() {
					t.Errorf("it decided %s", d.Code)
				}
			})
		}
	}
}

var stopped = record.Owner{Stop: record.Stop{Generation: 1, Halts: []record.Halt{{Generation: 1, At: 2050}}}}

func TestTroublesOfItsOwnComeBeforeThoseOfAParent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(m *mount)
		want verify.Code
	}{
		"revoked":             {func(m *mount) { m.change(func(k *record.Key) { k.RevokedAt = 2050 }) }, verify.Revoked},
		"its owner stopped":   {func(m *mount) { m.owners["acme"] = stopped }, verify.Revoked},
		"its role stopped":    {func(m *mount) { m.roles["web"].Generation = 1 }, verify.Revoked},
		"expired":             {func(m *mount) { m.change(func(k *record.Key) { k.Versions[0].ExpiresAt = 2100 }) }, verify.Expired},
		"idle":                {func(m *mount) { m.roles["web"].IdleTimeout = 1100 }, verify.Expired},
		"marked as idle":      {func(m *mount) { m.markIdle(keyID) }, verify.Expired},
		"disabled":            {func(m *mount) { m.change(func(k *record.Key) { k.Disabled = true }) }, verify.Disabled},
		"of a disabled role":  {func(m *mount) { m.roles["web"].Disabled = true }, verify.Disabled},
		"outside its network": {func(m *mount) { m.change(func(k *record.Key) { k.BoundCIDRs = networks("10.9.0.0/16") }) }, verify.ParentEnded},
		"without a scope":     {func(m *mount) { m.change(func(k *record.Key) { k.Scopes = nil }) }, verify.ParentEnded},
	} {
		m := family(t)
		m.edit("root", func(k *record.Key) { k.RevokedAt = 2050 })
		tc.do(m)
		if d := m.ask(t, verify.Request{Scopes: []string{"read:users"}}); d.Code != tc.want {
			t.Errorf("%s: %s, want %s", name, d.Code, tc.want)
		}
	}
}

func TestScopesNarrowFromGenerationToGeneration(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		role, root, parent, child, want []string
	}{
		"all the same":             {[]string{"*"}, []string{"a", "b"}, []string{"a", "b"}, []string{"a", "b"}, []string{"a", "b"}},
		"the root lost one":        {[]string{"*"}, []string{"a"}, []string{"a", "b"}, []string{"a", "b"}, []string{"a"}},
		"the parent lost all":      {[]string{"*"}, []string{"a", "b"}, nil, []string{"a", "b"}, nil},
		"the role lost one":        {[]string{"b"}, []string{"a", "b"}, []string{"a", "b"}, []string{"a", "b"}, []string{"b"}},
		"a wide child":             {[]string{"*"}, []string{"read:*"}, []string{"read:users:*"}, []string{"*"}, []string{"read:users:*"}},
		"what the root gained":     {[]string{"*"}, []string{"*"}, []string{"a"}, []string{"a", "b"}, []string{"a"}},
		"disjoint ones leave none": {[]string{"*"}, []string{"a"}, []string{"b"}, []string{"a", "b"}, nil},
	} {
		m := family(t)
		m.roles["web"].AllowedScopes = tc.role
		for id, scopes := range map[string][]string{"root": tc.root, "parent": tc.parent, keyID: tc.child} {
			m.edit(id, func(k *record.Key) { k.Scopes = scopes })
		}
		if d := m.ask(t, verify.Request{}); d.Code != verify.Valid || !slices.Equal(d.Scopes, tc.want) {
			t.Errorf("%s: %s, %q", name, d.Code, d.Scopes)
		}
	}
}

func TestNetworksOfEveryGenerationBind(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"root", "parent", keyID} {
		m := family(t)
		m.edit(id, func(k *record.Key) { k.BoundCIDRs = networks("10.1.0.0/16") })
		for from, want := range map[string]verify.Code{"10.1.0.1": verify.Valid, "10.2.0.1": verify.IPDenied, "": verify.IPDenied} {
			r := verify.Request{}
			if from != "" {
				r.ClientIP = netip.MustParseAddr(from)
			}
			if d := m.ask(t, r); d.Code != want {
				t.Errorf("bound by %s, from %q: %s", id, from, d.Code)
			}
		}
	}
}

func TestAUseIsOneOfTheAncestorsToo(t *testing.T) {
	t.Parallel()
	m := family(t)
	m.ask(t, verify.Request{})
	if want := []string{keyID + " 2", "parent 0", "root 0"}; !slices.Equal(m.used, want) {
		t.Errorf("used are %q", m.used)
	}
	m.used = nil
	m.ask(t, verify.Request{Scopes: []string{"admin"}})
	m.edit("root", func(k *record.Key) { k.Disabled = true })
	m.ask(t, verify.Request{})
	if len(m.used) != 0 {
		t.Errorf("refusals used %q", m.used)
	}
}

func TestTroubleWithAnAncestorIsAnError(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"owner", "uses", "limits"} {
		m := family(t)
		m.roles["web"].IdleTimeout, m.roles["web"].Quota = 5000, 5
		m.fail = what
		d, err := m.verifier().Verify(t.Context(), verify.Request{Key: m.newest.Presented()})
		if !errors.Is(err, errStorage) || !reflect.DeepEqual(d, verify.Decision{}) {
			t.Errorf("without %s it answered %+v, %v", what, d, err)
		}
	}
	m := family(t)
	broken := &brokenAncestor{mount: m}
	v := m.verifier()
	v.Resolver.Reader = broken
	if _, err := v.Verify(t.Context(), verify.Request{Key: m.newest.Presented()}); !errors.Is(err, errStorage) {
		t.Errorf("without the root it answered %v", err)
	}
}

// brokenAncestor cannot read the root.
type brokenAncestor struct{ *mount }

func (m *brokenAncestor) Key(ctx context.Context, id string) (record.Key, bool, error) {
	if id == "root" {
		return record.Key{}, false, errStorage
	}
	return m.mount.Key(ctx, id)
}

func TestWhatHasEndedIsToldFromWhatOnlyRests(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do    func(k *record.Key)
		ended bool
	}{
		"a disabled root":  {func(k *record.Key) { k.Disabled = true }, false},
		"a revoked root":   {func(k *record.Key) { k.RevokedAt = 2000 }, true},
		"an expired root":  {func(k *record.Key) { k.Versions[0].ExpiresAt = 2000 }, true},
		"a root in a loop": {func(k *record.Key) { k.Parent = "parent" }, true},
	} {
		m := family(t)
		m.edit("root", tc.do)
		resolver := m.verifier().Resolver
		l, err := resolver.Resolve(t.Context(), m.keys[keyID], m.now)
		if err != nil || l.Key.Ended(l.Standing, m.now) != tc.ended || l.State(m.now) != record.ParentEnded {
			t.Errorf("below %s it is %s, ended %v, %v", name, l.State(m.now), l.Key.Ended(l.Standing, m.now), err)
		}
		if len(l.Ancestors) > record.MaxDelegationDepth+1 {
			t.Errorf("below %s there are %d ancestors", name, len(l.Ancestors))
		}
	}
}
