package record_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

func networks(t *testing.T, entries ...string) network.List {
	t.Helper()
	l, err := network.Parse(entries)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func isMistake(err error) bool {
	var mistake record.Mistake
	return errors.As(err, &mistake)
}

func TestTheScopesOfANewKey(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		allowed, defaults []string
		asked             *[]string
		want              []string
		refused           bool
	}{
		"are the role's defaults when none are named": {[]string{"read:*", "write"}, []string{"read:users"}, nil, []string{"read:users"}, false},
		"are none when none are meant":                {[]string{"read:*"}, []string{"read:users"}, &[]string{}, nil, false},
		"are what was asked for":                      {[]string{"read:*", "write"}, []string{"write"}, &[]string{"read:users"}, []string{"read:users"}, false},
		"keep their order":                            {[]string{"*"}, nil, &[]string{"b", "a"}, []string{"b", "a"}, false},
		"are not wider than the role allows":          {[]string{"read:users"}, nil, &[]string{"read:*"}, nil, true},
		"are not all when the role allows some":       {[]string{"read:*"}, nil, &[]string{"*"}, nil, true},
		"are not some that the role does not allow":   {[]string{"read:*"}, nil, &[]string{"read:users", "write"}, nil, true},
		"are none under a role that allows none":      {nil, nil, &[]string{"read"}, nil, true},
		"are scopes":                                  {[]string{"*"}, nil, &[]string{"read::x"}, nil, true},
		"are not empty texts":                         {[]string{"*"}, nil, &[]string{""}, nil, true},
		"are the defaults that are still allowed":     {[]string{"read:users"}, []string{"read:users", "write"}, nil, []string{"read:users"}, false},
		"are the narrower part of a wide default":     {[]string{"read:users"}, []string{"read:*"}, nil, []string{"read:users"}, false},
		"are at most 128":                             {[]string{"*"}, nil, new(slices.Repeat([]string{"a"}, 129)), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := record.Grant("web", record.Role{AllowedScopes: tc.allowed, DefaultScopes: tc.defaults}, record.Request{Scopes: tc.asked})
			if isMistake(err) != tc.refused {
				t.Fatalf("it answered %v", err)
			}
			if !slices.Equal(k.Scopes, tc.want) {
				t.Errorf("granted are %q", k.Scopes)
			}
		})
	}
}

func TestTheNetworksOfANewKey(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		role, asked []string
		none        bool // none were asked for, rather than an empty list
		refused     bool
	}{
		"are none of its own when none are named":      {role: []string{"10.0.0.0/8"}, none: true},
		"may be none under a role that has some":       {role: []string{"10.0.0.0/8"}},
		"may be any under a role that has none":        {asked: []string{"192.0.2.0/24", "2001:db8::/32"}},
		"may be narrower than the role's":              {role: []string{"10.0.0.0/8"}, asked: []string{"10.1.0.0/16", "10.2.3.4"}},
		"may be the role's":                            {role: []string{"10.0.0.0/8"}, asked: []string{"10.0.0.0/8"}},
		"may not be wider than the role's":             {role: []string{"10.0.0.0/8"}, asked: []string{"0.0.0.0/0"}, refused: true},
		"may not lie beside the role's":                {role: []string{"10.0.0.0/8"}, asked: []string{"10.1.0.0/16", "11.0.0.0/8"}, refused: true},
		"may not be of another family than the role's": {role: []string{"10.0.0.0/8"}, asked: []string{"::/0"}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := record.Request{BoundCIDRs: new(networks(t, tc.asked...))}
			if tc.none {
				want.BoundCIDRs = nil
			}
			k, err := record.Grant("web", record.Role{BoundCIDRs: networks(t, tc.role...)}, want)
			if isMistake(err) != tc.refused {
				t.Fatalf("it answered %v", err)
			}
			if !tc.refused && !slices.Equal(k.BoundCIDRs.Strings(), tc.asked) && len(tc.asked) > 0 {
				t.Errorf("bound to %q", k.BoundCIDRs.Strings())
			}
		})
	}
}

func TestWhoMayHaveAKey(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		role    record.Role
		owner   string
		refused bool
	}{
		"nobody":                                {},
		"an owner":                              {owner: "acme"},
		"nobody, but not where one is required": {role: record.Role{RequireOwner: true}, refused: true},
		"an owner where one is required":        {role: record.Role{RequireOwner: true}, owner: "acme"},
		"nobody whose name is none":             {owner: "a/b", refused: true},
		"nobody whose name climbs":              {owner: "a..b", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := record.Grant("web", tc.role, record.Request{Owner: tc.owner})
			if isMistake(err) != tc.refused || err == nil && k.Owner != tc.owner {
				t.Errorf("owner %q, %v", k.Owner, err)
			}
		})
	}
}

func TestADisabledRoleGrantsNothing(t *testing.T) {
	t.Parallel()
	_, err := record.Grant("web", record.Role{Disabled: true, RequireOwner: true}, record.Request{})
	if !errors.Is(err, record.ErrRoleDisabled) {
		t.Errorf("it answered %v", err)
	}
}

func TestAGrantIsOfThisRoleAndHasNoLifeYet(t *testing.T) {
	t.Parallel()
	role := record.Role{UID: "u1", AllowedScopes: []string{"read"}, Metadata: map[string]string{"tier": "gold"}}
	k, err := record.Grant("web", role, record.Request{Owner: "acme", Name: "label", TTL: hour, Metadata: map[string]string{"team": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if k.Role != "web" || k.RoleUID != "u1" || k.Owner != "acme" || k.Name != "label" || k.TTL != hour {
		t.Errorf("granted %+v", k)
	}
	if len(k.Metadata) != 1 || k.Metadata["team"] != "a" {
		t.Errorf("a role's metadata is copied into its key: %v", k.Metadata)
	}
	if k.ID != "" || k.Prefix != "" || k.CreatedAt != 0 || k.Versions != nil || k.Disabled {
		t.Errorf("granted %+v", k)
	}
}

func TestAChangeKeepsWhatItDoesNotName(t *testing.T) {
	t.Parallel()
	role := record.Role{AllowedScopes: []string{"*"}}
	whole := func() record.Key {
		return record.Key{Name: "old", Metadata: map[string]string{"a": "1"}, Scopes: []string{"read"}, BoundCIDRs: networks(t, "10.0.0.0/8"), Disabled: true}
	}
	for name, tc := range map[string]struct {
		change record.Change
		same   func(k record.Key) bool // that what was named changed
	}{
		"nothing": {record.Change{}, func(k record.Key) bool {
			return k.Name == "old" && k.Disabled && k.Metadata["a"] == "1" && k.Scopes[0] == "read"
		}},
		"name":     {record.Change{Name: new("")}, func(k record.Key) bool { return k.Name == "" && k.Disabled && k.Scopes[0] == "read" }},
		"metadata": {record.Change{Metadata: &map[string]string{}}, func(k record.Key) bool { return len(k.Metadata) == 0 && k.Name == "old" }},
		"scopes":   {record.Change{Scopes: &[]string{}}, func(k record.Key) bool { return len(k.Scopes) == 0 && k.Metadata["a"] == "1" }},
		"networks": {record.Change{BoundCIDRs: &network.List{}}, func(k record.Key) bool { return k.BoundCIDRs.Empty() && k.Scopes[0] == "read" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := whole()
			if err := tc.change.Apply(&k, role); err != nil {
				t.Fatal(err)
			}
			if !tc.same(k) {
				t.Errorf("the key became %+v", k)
			}
		})
	}
}

func TestAChangeIsRefusedForItsText(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]record.Change{
		"a name of 129 bytes":         {Name: new(strings.Repeat("x", 129))},
		"a name with a line break":    {Name: new("a\nb")},
		"a name that is no UTF-8":     {Name: new("a\xff")},
		"metadata with an empty name": {Metadata: &map[string]string{"": "v"}},
		"metadata of 513 bytes":       {Metadata: &map[string]string{"k": strings.Repeat("x", 513)}},
		"scopes outside the role's":   {Scopes: &[]string{"write"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var k record.Key
			if err := change.Apply(&k, record.Role{AllowedScopes: []string{"read"}}); !isMistake(err) {
				t.Errorf("it answered %v", err)
			}
		})
	}
}

func TestNamesOfACreatorAreCut(t *testing.T) {
	t.Parallel()
	long := record.Creator{DisplayName: strings.Repeat("n", 255) + "é", EntityID: strings.Repeat("é", 10_000)}
	got := long.Bounded()
	if got.DisplayName != strings.Repeat("n", 255) || got.EntityID != strings.Repeat("é", 128) {
		t.Errorf("they are cut to %d and %d bytes", len(got.DisplayName), len(got.EntityID))
	}
	if short := (record.Creator{DisplayName: "token-x", EntityID: "e"}); short.Bounded() != short {
		t.Error("short ones are changed")
	}
}
