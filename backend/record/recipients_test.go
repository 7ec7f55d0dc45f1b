package record_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/opener"
)

func TestWhomAVersionIsSealedTo(t *testing.T) {
	a, b, pq := opener.X25519(t).Recipient, opener.Tagged(t).Recipient, opener.Hybrid(t).Recipient
	nine := make([]string, 9)
	for i := range nine {
		nine[i] = opener.X25519(t).Recipient
	}
	listed := record.Role{AllowedRecipients: []string{b, pq}}
	clear, sealed := record.Key{Versions: []record.Version{{}}}, record.Key{SealedFrom: 1, Versions: []record.Version{{Recipients: []string{a, b}}}}
	takenBack := record.Key{SealedFrom: 1, Versions: []record.Version{{}}}
	for name, tc := range map[string]struct {
		role  record.Role
		key   record.Key
		named *[]string
		want  []string
		no    string // a word of the refusal
	}{
		"a new key to nobody":                          {},
		"a new key to nobody, said so":                 {named: &[]string{}},
		"a new key to those that are named":            {named: &[]string{b, a}, want: []string{b, a}},
		"a new key to as many as there may be":         {named: new(nine[:8]), want: nine[:8]},
		"a new key to too many":                        {named: &nine, no: "more than 8"},
		"a new key to one twice":                       {named: &[]string{a, b, a}, no: "entry 3"},
		"a new key to something else":                  {named: &[]string{a, "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t"}, no: "entry 2"},
		"a new key to an empty text":                   {named: &[]string{""}, no: "entry 1"},
		"a new key to mixed kinds":                     {named: &[]string{a, pq}, no: "post-quantum"},
		"a new key to nobody, where some are required": {role: record.Role{RequireRecipients: true}, no: "requires recipients"},
		"a new key to none, where some are required":   {role: record.Role{RequireRecipients: true}, named: &[]string{}, no: "requires recipients"},
		"a new key to those that the role lists":       {role: listed, named: &[]string{b}, want: []string{b}},
		"a new key to one that the role does not list": {role: listed, named: &[]string{b, a}, no: a},
		"a new key to nobody under a list":             {role: listed},
		"a key in clear":                               {key: clear},
		"a key in clear to those that are named now":   {key: clear, named: &[]string{a}, want: []string{a}},
		"a key in clear, where some are required":      {key: clear, role: record.Role{RequireRecipients: true}, no: "requires recipients"},
		"a sealed key to the same":                     {key: sealed, want: []string{a, b}},
		"a sealed key to others":                       {key: sealed, named: &[]string{pq}, want: []string{pq}},
		"a sealed key to none":                         {key: sealed, named: &[]string{}, no: "in clear again"},
		"a sealed key to one that the role dropped":    {key: sealed, role: listed, no: a},
		"a sealed key to one that the role lists":      {key: sealed, role: listed, named: &[]string{b}, want: []string{b}},
		"a key whose sealed version was taken back":    {key: takenBack, no: "in clear again"},
		"such a key to those that are named now":       {key: takenBack, named: &[]string{a}, want: []string{a}},
	} {
		got, err := tc.role.Recipients(&tc.key, tc.named)
		switch {
		case tc.no == "" && (err != nil || !slices.Equal(got, tc.want)):
			t.Errorf("%s: %.12q, %v", name, got, err)
		case tc.no != "" && (!isMistake(err) || !strings.Contains(err.Error(), tc.no) || got != nil):
			t.Errorf("%s: %.12q, %v", name, got, err)
		}
	}
	if _, err := listed.Recipients(&sealed, nil); err == nil || strings.Contains(err.Error(), b) {
		t.Errorf("the one that is listed is blamed: %v", err)
	}
}

func TestAChangeOfRecipientsIsOfWhatLaterRotationsMake(t *testing.T) {
	a, b := opener.X25519(t).Recipient, opener.X25519(t).Recipient
	k := record.Key{Versions: []record.Version{{Number: 1, ExpiresAt: 1000}}}
	set := func(to ...string) error { return record.Change{Recipients: &to}.Apply(&k, record.Role{}) }
	if err := set(); err != nil || k.SealedFrom != 0 {
		t.Fatal("a key in clear is not to be so:", err)
	}
	if err := set(a); err != nil || k.SealedFrom != 1 || !slices.Equal(k.Current().Recipients, []string{a}) {
		t.Fatalf("%v, %.12q", err, k.Current().Recipients)
	}
	if err := set(); !errors.Is(err, record.ErrSealed) {
		t.Error("a sealed key is to be in clear:", err)
	}
	k.Supersede(record.Version{Number: 2, ExpiresAt: 1000, Recipients: []string{b}, PendingUntil: 500}, 10, 100)
	if to, err := (record.Role{}).Recipients(&k, nil); err != nil || !slices.Equal(to, []string{a}) {
		t.Errorf("under a version that waits the next is sealed to %.12q, %v", to, err)
	}
	if err := set(a, b); err != nil || len(k.Current().Recipients) != 2 || len(k.Pending().Recipients) != 2 {
		t.Errorf("a version that waits keeps others: %v", err)
	}
	if err := set(a); err != nil {
		t.Fatal(err)
	}
	if err := k.Withdraw(2, 101); err != nil || k.SealedFrom != 1 || !slices.Equal(k.Current().Recipients, []string{a}) {
		t.Errorf("taken back: %v, sealed from %d to %.12q", err, k.SealedFrom, k.Current().Recipients)
	}
}

func TestARotationThatIsWithdrawnHasSealedNothing(t *testing.T) {
	a := opener.X25519(t).Recipient
	k := record.Key{Versions: []record.Version{{Number: 1, ExpiresAt: 1000}}}
	k.Supersede(record.Version{Number: 2, ExpiresAt: 1000, Recipients: []string{a}}, 10, 100)
	if _, err := (record.Role{}).Recipients(&k, &[]string{}); !errors.Is(err, record.ErrSealed) {
		t.Errorf("its next version is answered in clear: %v", err)
	}
	if err := k.Withdraw(2, 101); err != nil {
		t.Fatal(err)
	}
	if to, err := (record.Role{}).Recipients(&k, nil); err != nil || len(to) > 0 {
		t.Errorf("what was never answered counts: %.12q, %v", to, err)
	}
}

func TestAnOwnersPathKeepsTheRecipients(t *testing.T) {
	a, b := opener.X25519(t).Recipient, opener.X25519(t).Recipient
	role := record.Role{OwnerMayWiden: []string{"scopes", "bound_cidrs", "limits", "metadata"}}
	for name, tc := range map[string]struct {
		before, after []string
		ok            bool
	}{
		"the same":              {[]string{a, b}, []string{a, b}, true},
		"in another order":      {[]string{a, b}, []string{b, a}, true},
		"none":                  {nil, []string{}, true},
		"one more":              {[]string{a}, []string{a, b}, false},
		"one less":              {[]string{a, b}, []string{a}, false},
		"another":               {[]string{a}, []string{b}, false},
		"one of a key in clear": {nil, []string{a}, false},
	} {
		waiting := record.Version{Number: 3, PendingUntil: 500, Recipients: tc.before}
		before := record.Key{Versions: []record.Version{waiting, {Number: 2, Recipients: tc.before}}}
		after := before.Clone()
		after.SealTo(tc.after)
		if err := role.OwnerMay(&before, &after); (err == nil) != tc.ok || err != nil && !errors.Is(err, record.ErrOwnersRecipients) {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := record.Key{Versions: []record.Version{{Number: 2, PendingUntil: 500, Recipients: []string{b}}, {Number: 1, Recipients: []string{a}}}}
	after := before.Clone()
	if after.SealTo([]string{a}); role.OwnerMay(&before, &after) == nil {
		t.Error("what waits is sealed to others by its owner")
	}
}

func TestARolesListOfRecipients(t *testing.T) {
	a, pq := opener.X25519(t).Recipient, opener.Hybrid(t).Recipient
	many := make([]string, 33)
	for i := range many {
		many[i] = opener.X25519(t).Recipient
	}
	for name, tc := range map[string]struct {
		list []string
		ok   bool
	}{
		"none":                         {nil, true},
		"kinds that no key mixes":      {[]string{a, pq}, true},
		"as many as there may be":      {many[:32], true},
		"too many":                     {many, false},
		"one twice":                    {[]string{a, a}, false},
		"something else":               {[]string{"ssh-ed25519 AAAA"}, false},
		"one that the CLI cut in half": {[]string{a[:30]}, false},
	} {
		role := record.DefaultRole()
		role.AllowedRecipients = tc.list
		if err := role.Check(func(string) bool { return true }); isMistake(err) == tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecipientsWeigh(t *testing.T) {
	pq := slices.Repeat([]string{opener.Hybrid(t).Recipient}, 8)
	light, heavy := record.Key{Versions: []record.Version{{}}}, record.Key{Versions: []record.Version{{Recipients: pq}}}
	role := record.Role{AllowedRecipients: pq}
	if heavy.Weight() < light.Weight()+12 || role.Weight() < 13 {
		t.Errorf("a key of %d weighs %d, a role %d", len(pq[0])*8, heavy.Weight(), role.Weight())
	}
}
