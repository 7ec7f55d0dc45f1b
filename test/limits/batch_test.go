package limits

import (
	"net/http"
	"testing"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestABatchIsDecidedInOrderEachItemForItself(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	one := e.issue(t, fields{"scopes": []string{"read"}, "bound_cidrs": []string{"10.0.0.0/8"}, "owner": "acme"})
	two := e.issue(t, nil)
	revoked := e.issue(t, nil)
	e.Write(t, "revoke/"+revoked.ID, nil)
	within := fields{"key": one.Text, "client_ip": "10.0.0.1"}
	mistake := func(word string) fields { return fields{"http_status": 400, "error": word} }
	items := []struct {
		item   any
		wanted fields
	}{
		{within, fields{"valid": true, "code": "valid", "key_id": one.ID, "owner": "acme"}},
		{fields{"key": one.Text}, fields{"code": "ip_denied", "http_status": 403}},
		{surface.With(within, fields{"scopes": []string{"write"}}), fields{"code": "insufficient_scope", "missing_scopes": []string{"write"}}},
		{"x", mistake("a batch item must be an object")},
		{nil, mistake("a batch item must be an object")},
		{[]any{}, mistake("a batch item must be an object")},
		{7, mistake("a batch item must be an object")},
		{fields{}, mistake(`missing parameter "key"`)},
		{fields{"client_ip": "10.0.0.1"}, mistake(`missing parameter "key"`)},
		{fields{"key": two.Text, "colour": "red"}, mistake(`unknown parameter "colour"`)},
		{fields{"key": two.Text, "role": e.web}, mistake(`unknown parameter "role"`)},
		{fields{"key": two.Text, "batch_input": []any{}}, mistake(`unknown parameter "batch_input"`)},
		{fields{"key": 7}, nil},
		{fields{"key": ""}, nil},
		{fields{"key": two.Text, "scopes": ""}, nil},
		{fields{"key": two.Text, "scopes": []string{"*:a"}}, nil},
		{fields{"key": two.Text, "client_ip": "300.0.0.1"}, nil},
		{fields{"key": two.Text, "client_ip": ""}, nil},
		{fields{"key": two.Text, "brief": "perhaps"}, nil},
		{fields{"key": two.Text, "cost": -1}, nil},
		{fields{"key": "nonsense"}, fields{"valid": false, "code": "invalid", "http_status": 401}},
		{fields{"key": revoked.Text}, fields{"code": "revoked", "key_id": revoked.ID}},
		{fields{"key": two.Text, "brief": true}, fields{"code": "valid", "key_id": two.ID}},
		{fields{"key": two.Text}, fields{"code": "valid", "key_id": two.ID, "role": e.web}},
	}
	asked := make([]any, len(items))
	for i := range items {
		asked[i] = items[i].item
	}
	for i, r := range e.batch(t, "verify", asked...) {
		if items[i].wanted == nil || items[i].wanted["error"] != nil {
			wantNames(t, "a mistake", r, "error", "http_status")
			surface.WantFields(t, "a mistake", r, fields{"http_status": 400})
		}
		surface.WantFields(t, "an item", r, items[i].wanted)
	}
}

func TestABatchIsAMistakeAsAWholeOnlyForItsForm(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 10})
	item := fields{"key": k.Text}
	for what, body := range map[string]fields{
		"no list":               {"batch_input": item},
		"a text":                {"batch_input": "[]"},
		"null":                  {"batch_input": nil},
		"a number":              {"batch_input": 1},
		"empty":                 {"batch_input": []any{}},
		"too long":              {"batch_input": repeat(item, 1001)},
		"beside a key":          {"batch_input": []any{item}, "key": k.Text},
		"beside scopes":         {"batch_input": []any{item}, "scopes": []string{"read"}},
		"beside an address":     {"batch_input": []any{item}, "client_ip": "10.0.0.1"},
		"beside a cost":         {"batch_input": []any{item}, "cost": 1},
		"beside brief":          {"batch_input": []any{item}, "brief": true},
		"beside what is wrong":  {"batch_input": []any{item}, "colour": "red"},
		"beside an empty key":   {"batch_input": []any{item}, "key": ""},
		"not for a wrong value": {"batch_input": false},
	} {
		for _, path := range []string{"verify", "verify/" + e.web} {
			if r := e.try(t, path, body); r.Status != http.StatusBadRequest {
				t.Errorf("%s: %d: %.200s", what, r.Status, r.Raw)
			}
		}
	}
	e.Refused(t, 400, "authorize", fields{"batch_input": []any{item}}, "batch_input")
	surface.WantFields(t, "after mistakes", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 10})
}

func TestABatchSpendsInOrder(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 10})
	cost := func(n int) any { return fields{"key": k.Text, "cost": n} }
	results := e.batch(t, "verify", cost(4), cost(4), cost(4), cost(2), cost(1), cost(0))
	for i, wanted := range []struct {
		code      string
		remaining int
	}{{"valid", 6}, {"valid", 2}, {"quota_exceeded", 2}, {"valid", 0}, {"quota_exceeded", 0}, {"valid", 0}} {
		surface.WantFields(t, "an item", results[i], fields{"code": wanted.code, "quota_remaining": wanted.remaining})
	}
}

func TestAThousandItemsAreDecidedInOneCall(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 600})
	if valid := e.valid(t, k.Text, 1000); valid != 600 {
		t.Errorf("%d of 1000 are valid, of a quota of 600", valid)
	}
}

func TestABatchUnderARoleKnowsOnlyItsKeys(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRoleNamed(t, e.web+"-other", nil)
	own, other := e.issue(t, nil), e.issueOf(t, e.web+"-other", nil)
	results := e.batch(t, "verify/"+e.web, fields{"key": own.Text}, fields{"key": other.Text}, fields{"key": "nonsense"})
	surface.WantFields(t, "its own", results[0], fields{"code": "valid", "role": e.web})
	for _, r := range results[1:] {
		wantNames(t, "another's", r, "valid", "code", "http_status")
		surface.WantFields(t, "another's", r, fields{"code": "invalid"})
	}
	for _, r := range e.batch(t, "verify/no-such-role", fields{"key": own.Text}) {
		surface.WantFields(t, "of no role", r, fields{"code": "invalid", "http_status": 401})
	}
	e.Refused(t, 400, "verify/"+e.web, fields{"batch_input": []any{fields{"key": own.Text}}, "role": "other"})
}

func TestABriefAnswerSaysWhoseKeyItIsAndNoMore(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"owner": "acme", "quota": 1})
	brief := fields{"brief": true}
	for _, code := range []string{"valid", "quota_exceeded"} {
		d := e.WantCode(t, code, k.Text, brief)
		wantNames(t, "brief", d, "valid", "code", "http_status", "key_id", "owner")
		surface.WantFields(t, "brief", d, fields{"key_id": k.ID, "owner": "acme"})
	}
	e.Write(t, "revoke/"+k.ID, nil)
	wantNames(t, "brief", e.WantCode(t, "revoked", k.Text, brief), "valid", "code", "http_status", "key_id", "owner")
	wantNames(t, "brief", e.WantCode(t, "valid", e.issue(t, nil).Text, brief), "valid", "code", "http_status", "key_id", "owner")
	for _, text := range []string{"nonsense", k.Text + "x"} {
		wantNames(t, "brief", e.WantCode(t, "invalid", text, brief), "valid", "code", "http_status")
	}
	wantNames(t, "not brief", e.WantCode(t, "valid", e.issue(t, nil).Text, fields{"brief": false}), answered...)
	for _, bad := range []any{"perhaps", "", 2, nil} {
		e.Refused(t, 400, "verify", fields{"key": k.Text, "brief": bad}, "brief")
	}
}
