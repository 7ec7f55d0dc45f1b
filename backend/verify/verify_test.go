package verify_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// troubles are all that can be wrong with a proven key, in the order in which
// they are answered. Each leaves the ones before it untouched.
var troubles = []struct {
	name string
	do   func(m *mount, r *verify.Request)
	want verify.Code
}{
	{"the key was revoked", func(m *mount, _ *verify.Request) { m.change(func(k *record.Key) { k.RevokedAt = 2050 }) }, verify.Revoked},
	{"its role is gone", func(m *mount, _ *verify.Request) { delete(m.roles, "web") }, verify.Revoked},
	{"its role is another of the same name", func(m *mount, _ *verify.Request) { m.roles["web"].UID = "u2" }, verify.Revoked},
	{"the newest version expired", func(m *mount, _ *verify.Request) { m.change(func(k *record.Key) { k.Versions[0].ExpiresAt = 2100 }) }, verify.Expired},
	{"the presented version's grace is over", func(m *mount, r *verify.Request) {
		r.Key = m.old.Presented()
		m.change(func(k *record.Key) { k.Versions[1].ValidUntil = 2100 })
	}, verify.Superseded},
	{"the key is disabled", func(m *mount, _ *verify.Request) { m.change(func(k *record.Key) { k.Disabled = true }) }, verify.Disabled},
	{"its role is disabled", func(m *mount, _ *verify.Request) { m.setRole(func(r *record.Role) { r.Disabled = true }) }, verify.Disabled},
	{"the address is outside the key's networks", func(m *mount, _ *verify.Request) {
		m.change(func(k *record.Key) { k.BoundCIDRs = networks("10.1.0.0/16") })
	}, verify.IPDenied},
	{"the address is outside the role's networks", func(m *mount, _ *verify.Request) {
		m.setRole(func(r *record.Role) { r.BoundCIDRs = networks("10.1.0.0/16") })
	}, verify.IPDenied},
	{"a scope is missing", func(_ *mount, r *verify.Request) { r.Scopes = []string{"read:users", "write"} }, verify.InsufficientScope},
}

// setRole changes the role unless it is gone.
func (m *mount) setRole(edit func(r *record.Role)) {
	if r := m.roles["web"]; r != nil {
		edit(r)
	}
}

func TestAKeyInOrderIsValid(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	d := m.ask(t, verify.Request{Role: "web", Scopes: []string{"read:users"}, ClientIP: netip.MustParseAddr("192.0.2.1")})
	if !d.Valid() || !d.Proven() || d.Code != verify.Valid || d.Version.Number != 2 || d.Key.Owner != "acme" {
		t.Errorf("it decided %+v", d)
	}
	if d := m.ask(t, verify.Request{Key: m.old.Presented()}); !d.Valid() || d.Version.Number != 1 {
		t.Errorf("about a version in its grace it decided %+v", d)
	}
}

func TestAKeyThatFailsOneWayAnswersIt(t *testing.T) {
	t.Parallel()
	for _, trouble := range troubles {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			r := verify.Request{ClientIP: netip.MustParseAddr("10.2.0.1")}
			trouble.do(m, &r)
			if d := m.ask(t, r); d.Code != trouble.want || d.Valid() || !d.Proven() {
				t.Errorf("it decided %s", d.Code)
			}
		})
	}
}

func TestAKeyThatFailsSeveralWaysAnswersTheFirst(t *testing.T) {
	t.Parallel()
	for bits := 1; bits < 1<<len(troubles); bits++ {
		m := newMount(t)
		r := verify.Request{ClientIP: netip.MustParseAddr("10.2.0.1")}
		want, names := verify.Code(""), []string{}
		for i, trouble := range troubles {
			if bits>>i&1 == 0 {
				continue
			}
			if want == "" {
				want = trouble.want
			}
			names = append(names, trouble.name)
			if trouble.name == troubles[2].name && m.roles["web"] == nil {
				continue
			}
			trouble.do(m, &r)
		}
		if d := m.ask(t, r); d.Code != want {
			t.Errorf("%q: it decided %s, want %s", names, d.Code, want)
		}
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	for code, want := range map[verify.Code]int{
		verify.Valid: 200, verify.Invalid: 401, verify.Revoked: 401, verify.Expired: 401, verify.Superseded: 401,
		verify.Disabled: 403, verify.IPDenied: 403, verify.InsufficientScope: 403, verify.ParentEnded: 401,
		verify.RateLimited: 429, verify.QuotaExceeded: 429, "": 401, "unheard of": 401,
	} {
		if got := code.HTTPStatus(); got != want {
			t.Errorf("%q is %d", code, got)
		}
	}
}

func TestTheZeroDecisionDenies(t *testing.T) {
	t.Parallel()
	var d verify.Decision
	if d.Valid() || d.Proven() || d.Code.HTTPStatus() != 401 {
		t.Errorf("it is %+v", d)
	}
}

func TestNetworksAreDecidedByBoth(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key, role []string
		from      string
		want      verify.Code
	}{
		"bound nowhere, from nowhere":         {nil, nil, "", verify.Valid},
		"bound nowhere, from anywhere":        {nil, nil, "2001:db8::1", verify.Valid},
		"within the key's":                    {[]string{"10.0.0.0/8"}, nil, "10.9.9.9", verify.Valid},
		"within the role's":                   {nil, []string{"10.0.0.0/8"}, "10.9.9.9", verify.Valid},
		"within both":                         {[]string{"10.1.0.0/16"}, []string{"10.0.0.0/8"}, "10.1.0.1", verify.Valid},
		"within the role's but not the key's": {[]string{"10.1.0.0/16"}, []string{"10.0.0.0/8"}, "10.2.0.1", verify.IPDenied},
		"within the key's but not the role's": {[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16"}, "10.2.0.1", verify.IPDenied},
		"bound by the key, from nowhere":      {[]string{"0.0.0.0/0"}, nil, "", verify.IPDenied},
		"bound by the role, from nowhere":     {nil, []string{"0.0.0.0/0", "::/0"}, "", verify.IPDenied},
		"IPv4 that comes as IPv6":             {[]string{"10.0.0.0/8"}, nil, "::ffff:10.0.0.1", verify.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.change(func(k *record.Key) { k.BoundCIDRs = networks(tc.key...) })
			m.roles["web"].BoundCIDRs = networks(tc.role...)
			r := verify.Request{}
			if tc.from != "" {
				r.ClientIP = netip.MustParseAddr(tc.from)
			}
			if d := m.ask(t, r); d.Code != tc.want {
				t.Errorf("it decided %s", d.Code)
			}
		})
	}
}

func TestScopesAreTheKeysAsFarAsTheRoleStillAllows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key, role, needed, effective, missing []string
	}{
		"all that it holds":                        {[]string{"read:users", "write"}, []string{"*"}, []string{"write"}, []string{"read:users", "write"}, nil},
		"nothing is needed of who holds nothing":   {nil, nil, nil, nil, nil},
		"what the role took away":                  {[]string{"read:users", "write"}, []string{"read:*"}, []string{"read:users", "write"}, []string{"read:users"}, []string{"write"}},
		"what is left of a wide one":               {[]string{"read:*"}, []string{"read:users"}, []string{"read:users", "read:teams"}, []string{"read:users"}, []string{"read:teams"}},
		"a wider role does not widen a key":        {[]string{"read:users"}, []string{"*"}, []string{"read:teams"}, []string{"read:users"}, []string{"read:teams"}},
		"missing ones in the order of the request": {[]string{"b"}, []string{"*"}, []string{"c", "b", "a"}, []string{"b"}, []string{"c", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			m.change(func(k *record.Key) { k.Scopes = tc.key })
			m.roles["web"].AllowedScopes = tc.role
			d := m.ask(t, verify.Request{Scopes: tc.needed})
			want := verify.Valid
			if tc.missing != nil {
				want = verify.InsufficientScope
			}
			if d.Code != want || !slices.Equal(d.Scopes, tc.effective) || !slices.Equal(d.MissingScopes, tc.missing) {
				t.Errorf("it decided %s with %q, missing %q", d.Code, d.Scopes, d.MissingScopes)
			}
			if held := m.keys[keyID].Scopes; !slices.Equal(held, tc.key) {
				t.Errorf("the decision changed the record: %q", held)
			}
		})
	}
}

func TestMetadataAndRotationFollowTheLivingRole(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.roles["web"].Metadata = map[string]string{"team": "role's", "tier": "gold"}
	m.roles["web"].RotationPeriod = 100
	d := m.ask(t, verify.Request{})
	if want := map[string]string{"team": "a", "tier": "gold"}; !maps.Equal(d.Metadata, want) || !d.RotationDue {
		t.Errorf("metadata %v, due %v", d.Metadata, d.RotationDue)
	}
	m.roles["web"].RotationPeriod = 101
	if d := m.ask(t, verify.Request{}); d.RotationDue {
		t.Error("due a second early")
	}
	m.roles["web"].UID = "u2"
	d = m.ask(t, verify.Request{})
	if want := map[string]string{"team": "a"}; !maps.Equal(d.Metadata, want) || d.RotationDue || d.Scopes != nil {
		t.Errorf("another role of the same name gives %v, %v, %q", d.Metadata, d.RotationDue, d.Scopes)
	}
}
