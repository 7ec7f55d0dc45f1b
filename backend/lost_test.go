package backend_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// A restriction that got lost on the way to the engine cannot be seen there, so a
// role can say that it must not be.

type headers = map[string][]string

// authorize is a request as Vault passes it on, with the headers that got through.
func (m *mount) authorize(op logical.Operation, path string, data fields, h headers) answer {
	m.t.Helper()
	return m.send(m.ctx, &logical.Request{Operation: op, Path: path, Data: data, Headers: h})
}

func TestAKeyWhoseRoleRequiresScopesIsNotAnsweredWithoutAny(t *testing.T) {
	m := newMount(t)
	m.must("roles/web", fields{"generate_lease": false, "require_scopes": true, "allowed_scopes": "read:*,write", "default_scopes": "read:x"})
	m.must("roles/free", fields{"generate_lease": false, "default_scopes": "read:x", "allowed_scopes": "*"})
	k, free := m.must("issue/web", fields{"quota": 100}), m.must("issue/free", nil)
	text := k.str("key")
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
		if a := m.authorize(tc.op, tc.path, tc.data, tc.headers); a.status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.text, tc.status)
		} else if tc.status == 400 && !strings.Contains(a.text, "scopes") {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	for _, scopes := range []any{"-", []any{}, "read:x"} {
		if code := m.must("verify", fields{"key": free.str("key"), "scopes": scopes}).str("code"); code != "valid" {
			t.Errorf("where the role requires none, %v is %s", scopes, code)
		}
	}
	if code := m.must("verify", fields{"key": m.sibling(text)}).str("code"); code != "invalid" {
		t.Errorf("another secret without scopes is %s", code)
	}
	batch := m.must("verify", fields{"batch_input": []any{
		fields{"key": text}, fields{"key": text, "scopes": "-"}, fields{"key": "no key"}, fields{"key": free.str("key")},
	}}).data["batch_results"].([]any)
	for i, want := range []float64{400, 200, 401, 200} {
		if got := batch[i].(map[string]any)["http_status"]; got != want {
			t.Errorf("item %d of a batch: %v", i, got)
		}
	}
	// Before all codes but invalid, and it spends nothing.
	left := m.read("keys/" + k.str("key_id")).data["quota_remaining"]
	for _, change := range []func(){
		func() { m.must("keys/"+k.str("key_id"), fields{"disabled": true}) },
		func() { m.must("roles/web", fields{"disabled": true, "bound_cidrs": "10.0.0.0/8"}) },
		func() { m.must("revoke/"+k.str("key_id"), nil) },
	} {
		change()
		if a := m.write("verify", fields{"key": text}); a.status != http.StatusBadRequest {
			t.Errorf("it answers %d %v", a.status, a.data["code"])
		}
	}
	if now := m.read("keys/" + k.str("key_id")).data["quota_remaining"]; now != left {
		t.Errorf("of the quota remain %v of %v", now, left)
	}
	// Such a key's role is the one that it was issued under, no other of the name.
	m.must("stop/roles/web", nil)
	m.do(logical.DeleteOperation, "roles/web", nil)
	m.must("roles/web", fields{"require_scopes": true})
	if code := m.must("verify", fields{"key": text}).str("code"); code != "revoked" {
		t.Errorf("under a new role of an old name it is %s", code)
	}
}

func TestADashIsNoScope(t *testing.T) {
	m := newMount(t)
	for path, list := range map[string][]fields{
		"roles/web": {{"allowed_scopes": "-"}, {"allowed_scopes": "*", "default_scopes": "-"}, {"allowed_scopes": []any{"read", "-"}}},
	} {
		for _, data := range list {
			if a := m.write(path, data); a.status != http.StatusBadRequest {
				t.Errorf("%s %v: %d", path, data, a.status)
			}
		}
	}
	m.must("roles/web", fields{"generate_lease": false, "allowed_scopes": "*"})
	if a := m.write("issue/web", fields{"scopes": "-"}); a.status != http.StatusBadRequest {
		t.Errorf("issue: %d", a.status)
	}
	m.must("issue/web", fields{"scopes": "-:a,a-b,a:-"})
}

// A query drops what it cannot parse, and lets a client whose path is put into it
// add to it.
func TestAuthorizeTakesNoRestrictionFromAQuery(t *testing.T) {
	m := newMount(t)
	m.must("roles/web", fields{"generate_lease": false, "allowed_scopes": "*", "default_scopes": "read:x"})
	text := m.must("issue/web", nil).str("key")
	for _, path := range []string{"authorize", "authorize/web"} {
		for _, query := range []fields{
			{"scopes": "read:x"}, {"scopes": "-"}, {"scopes": ""}, {"scopes": []any{"a", "b"}}, {"client_ip": "10.0.0.1"}, {"client_ip": ""},
			{"scopes": "read:x", "client_ip": "10.0.0.1"},
		} {
			for _, h := range []headers{nil, {"X-Api-Key": {text}}, {"X-Api-Key": {"no key"}}, {"X-Api-Key": {text}, "X-Required-Scopes": {"read:x"}}, {"X-Api-Key": {text}, "X-Client-Ip": {"10.0.0.1"}}} {
				if a := m.authorize(logical.ReadOperation, path, query, h); a.status != http.StatusBadRequest {
					t.Errorf("%s?%v with %d headers: %d", path, query, len(h), a.status)
				}
			}
		}
	}
	a := m.authorize(logical.ReadOperation, "authorize", fields{"scopes": "read:x"}, headers{"X-Api-Key": {text}})
	if !strings.Contains(a.text, "query") || !strings.Contains(a.text, "X-Required-Scopes") {
		t.Errorf("it says %q", a.text)
	}
	if a := m.authorize(logical.ReadOperation, "authorize", nil, headers{"X-Api-Key": {text}, "X-Required-Scopes": {"read:x"}, "X-Client-Ip": {"10.0.0.1"}}); a.status != 200 {
		t.Errorf("in headers: %d", a.status)
	}
}
