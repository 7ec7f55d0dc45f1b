package surface

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// A restriction that got lost on the way to the engine cannot be seen there, so a
// role can say that it must not be.

type headers = map[string][]string

// authorize is a request as Vault passes it on, with the headers that got through.
func authorize(m *mount.Mount, op logical.Operation, path string, data fields, h headers) mount.Answer {
	m.T.Helper()
	return m.Send(m.Ctx, &logical.Request{Operation: op, Path: path, Data: data, Headers: h})
}

func TestAKeyWhoseRoleRequiresScopesIsNotAnsweredWithoutAny(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false, "require_scopes": true, "allowed_scopes": "read:*,write", "default_scopes": "read:x"})
	m.Must("roles/free", fields{"generate_lease": false, "default_scopes": "read:x", "allowed_scopes": "*"})
	k, free := m.Must("issue/web", fields{"quota": 100}), m.Must("issue/free", nil)
	text := k.Str("key")
	const read, update = logical.ReadOperation, logical.UpdateOperation
	in := func(scopes ...string) headers {
		h := headers{"X-Api-Key": {text}}
		if len(scopes) > 0 {
			h["X-Required-Scopes"] = scopes
		}
		return h
	}
	for name, tc := range map[string]struct {
		op      logical.Operation
		path    string
		data    fields
		headers headers
		status  int
	}{
		"verify, nothing said":              {update, "verify", fields{"key": text}, nil, 400},
		"verify under its role":             {update, "verify/web", fields{"key": text}, nil, 400},
		"verify, brief":                     {update, "verify", fields{"key": text, "brief": true}, nil, 400},
		"verify for nothing":                {update, "verify", fields{"key": text, "cost": 0}, nil, 400},
		"verify by read":                    {read, "verify/web", nil, in(), 400},
		"verify by read, what a query says": {read, "verify/web", fields{"scopes": "read:x"}, in(), 400},
		"verify, a scope":                   {update, "verify", fields{"key": text, "scopes": "read:x"}, nil, 200},
		"verify, none":                      {update, "verify", fields{"key": text, "scopes": []any{}}, nil, 200},
		"verify, none as a dash":            {update, "verify", fields{"key": text, "scopes": "-"}, nil, 200},
		"verify, none as a list of a dash":  {update, "verify", fields{"key": text, "scopes": []any{"-"}}, nil, 200},
		"verify, a dash among others":       {update, "verify", fields{"key": text, "scopes": "-,read:x"}, nil, 400},
		"verify, two dashes":                {update, "verify", fields{"key": text, "scopes": "-,-"}, nil, 400},
		"authorize, nothing said":           {read, "authorize/web", nil, in(), 400},
		"authorize, a write":                {update, "authorize", fields{"key": text}, nil, 400},
		"authorize, a scope in a header":    {read, "authorize", nil, in("read:x"), 200},
		"authorize, none in a header":       {read, "authorize", nil, in("-"), 200},
		"authorize, a scope in the body":    {update, "authorize", fields{"key": text, "scopes": "read:x"}, nil, 200},
		"authorize, none in the body":       {update, "authorize", fields{"key": text, "scopes": []any{}}, nil, 200},
		"authorize, a scope that it lacks":  {read, "authorize", nil, in("write"), 403},
		"authorize, no key":                 {read, "authorize/web", nil, nil, 401},
		"authorize, under another role":     {read, "authorize/free", nil, in(), 401},
	} {
		if a := authorize(m, tc.op, tc.path, tc.data, tc.headers); a.Status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, a.Status, a.Text, tc.status)
		} else if tc.status == 400 && !strings.Contains(a.Text, "scopes") {
			t.Errorf("%s: %s", name, a.Text)
		}
	}
	for _, scopes := range []any{"-", []any{}, "read:x"} {
		if code := m.Must("verify", fields{"key": free.Str("key"), "scopes": scopes}).Str("code"); code != "valid" {
			t.Errorf("where the role requires none, %v is %s", scopes, code)
		}
	}
	if code := m.Must("verify", fields{"key": m.Sibling(text)}).Str("code"); code != "invalid" {
		t.Errorf("another secret without scopes is %s", code)
	}
	batch := m.Must("verify", fields{"batch_input": []any{
		fields{"key": text}, fields{"key": text, "scopes": "-"}, fields{"key": "no key"}, fields{"key": free.Str("key")},
	}}).Data["batch_results"].([]any)
	for i, want := range []float64{400, 200, 401, 200} {
		if got := batch[i].(map[string]any)["http_status"]; got != want {
			t.Errorf("item %d of a batch: %v", i, got)
		}
	}
	// Before all codes but invalid, and it spends nothing.
	left := m.Read("keys/" + k.Str("key_id")).Data["quota_remaining"]
	for _, change := range []func(){
		func() { m.Must("keys/"+k.Str("key_id"), fields{"disabled": true}) },
		func() { m.Must("roles/web", fields{"disabled": true, "bound_cidrs": "10.0.0.0/8"}) },
		func() { m.Must("revoke/"+k.Str("key_id"), nil) },
	} {
		change()
		if a := m.Write("verify", fields{"key": text}); a.Status != http.StatusBadRequest {
			t.Errorf("it answers %d %v", a.Status, a.Data["code"])
		}
	}
	if now := m.Read("keys/" + k.Str("key_id")).Data["quota_remaining"]; now != left {
		t.Errorf("of the quota remain %v of %v", now, left)
	}
	// Such a key's role is the one that it was issued under, no other of the name.
	m.Must("stop/roles/web", nil)
	m.Do(logical.DeleteOperation, "roles/web", nil)
	m.Must("roles/web", fields{"require_scopes": true})
	if code := m.Must("verify", fields{"key": text}).Str("code"); code != "revoked" {
		t.Errorf("under a new role of an old name it is %s", code)
	}
}

func TestADashIsNoScope(t *testing.T) {
	m := mount.New(t)
	for path, list := range map[string][]fields{
		"roles/web": {{"allowed_scopes": "-"}, {"allowed_scopes": "*", "default_scopes": "-"}, {"allowed_scopes": []any{"read", "-"}}},
	} {
		for _, data := range list {
			if a := m.Write(path, data); a.Status != http.StatusBadRequest {
				t.Errorf("%s %v: %d", path, data, a.Status)
			}
		}
	}
	m.Must("roles/web", fields{"generate_lease": false, "allowed_scopes": "*"})
	if a := m.Write("issue/web", fields{"scopes": "-"}); a.Status != http.StatusBadRequest {
		t.Errorf("issue: %d", a.Status)
	}
	m.Must("issue/web", fields{"scopes": "-:a,a-b,a:-"})
}

// A query drops what it cannot parse, and lets a client whose path is put into it
// add to it.
func TestAuthorizeTakesNoRestrictionFromAQuery(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", fields{"generate_lease": false, "allowed_scopes": "*", "default_scopes": "read:x"})
	text := m.Must("issue/web", nil).Str("key")
	for _, path := range []string{"authorize", "authorize/web"} {
		for _, query := range []fields{
			{"scopes": "read:x"}, {"scopes": "-"}, {"scopes": ""}, {"scopes": []any{"a", "b"}}, {"client_ip": "10.0.0.1"}, {"client_ip": ""},
			{"scopes": "read:x", "client_ip": "10.0.0.1"},
		} {
			for _, h := range []headers{nil, {"X-Api-Key": {text}}, {"X-Api-Key": {"no key"}}, {"X-Api-Key": {text}, "X-Required-Scopes": {"read:x"}}, {"X-Api-Key": {text}, "X-Client-Ip": {"10.0.0.1"}}} {
				if a := authorize(m, logical.ReadOperation, path, query, h); a.Status != http.StatusBadRequest {
					t.Errorf("%s?%v with %d headers: %d", path, query, len(h), a.Status)
				}
			}
		}
	}
	a := authorize(m, logical.ReadOperation, "authorize", fields{"scopes": "read:x"}, headers{"X-Api-Key": {text}})
	if !strings.Contains(a.Text, "query") || !strings.Contains(a.Text, "X-Required-Scopes") {
		t.Errorf("it says %q", a.Text)
	}
	if a := authorize(m, logical.ReadOperation, "authorize", nil, headers{"X-Api-Key": {text}, "X-Required-Scopes": {"read:x"}, "X-Client-Ip": {"10.0.0.1"}}); a.Status != 200 {
		t.Errorf("in headers: %d", a.Status)
	}
}
