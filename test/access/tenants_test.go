package access

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// ofOwnKey are the operations on one key below its owner.
func ofOwnKey() (ops []surface.Operation) {
	for _, op := range surface.Operations() {
		if strings.HasPrefix(op.Path, "owners/{owner}/keys/{key_id}") {
			ops = append(ops, op)
		}
	}
	return ops
}

func methodOf(op surface.Operation) surface.Method {
	for _, m := range surface.Methods() {
		if m.Does(op) {
			return m
		}
	}
	panic("an operation without a method: " + op.Verb)
}

// varying is what differs from answer to answer.
var varying = regexp.MustCompile(`"request_id":"[^"]*"`)

func sameAnswer(a, b harness.Response) bool {
	return a.Status == b.Status && varying.ReplaceAllString(string(a.Raw), "") == varying.ReplaceAllString(string(b.Raw), "")
}

func TestAnotherTenantsKeyIsAnsweredLikeOneThatDoesNotExist(t *testing.T) {
	e := mounted(t)
	acme := e.As(e.EntityToken(t, "acme", recipe(t, "tenants.hcl")))
	e.Issue(t, "web", "acme")
	theirs := e.Issue(t, "web", "umbrella")
	disguised := surface.Key{ID: theirs.ID, Owner: "acme"}
	before := e.Stored(t)
	for _, missing := range []string{strings.Repeat("0", 16), "no-id", strings.Repeat("A", 200)} {
		for _, op := range ofOwnKey() {
			for _, more := range []fields{nil, {"scopes": []string{"*"}}, {"reason": strings.Repeat("r", 257)}, {"grace_period": "9000h"}} {
				if op.Verb != "update" && more != nil {
					continue
				}
				got := acme.Try(t, methodOf(op), op, disguised, more)
				absent := acme.Try(t, methodOf(op), op, surface.Key{ID: missing, Owner: "acme"}, more)
				if !sameAnswer(got, absent) {
					t.Errorf("%s of another tenant's key with %v: %d %s, of a missing one: %d %s", op.Path, more, got.Status, got.Raw, absent.Status, absent.Raw)
				}
				if got.Status == 200 {
					t.Errorf("%s of another tenant's key: %s", op.Path, got.Raw)
				}
			}
		}
	}
	e.WantStored(t, before)
	e.WantCode(t, "valid", theirs.Text)
}

func TestATenantSeesOnlyItsOwnKeysInTheList(t *testing.T) {
	e := mounted(t)
	acme := e.As(e.EntityToken(t, "acme", recipe(t, "tenants.hcl")))
	theirs := e.Issue(t, "web", "umbrella")
	acme.Want(t, 404, "LIST", "owners/acme/keys", nil)
	own := e.Issue(t, "web", "acme")
	for _, query := range []string{"", "?limit=1", "?after=0", "?limit=1000"} {
		r := acme.Want(t, 200, "LIST", "owners/acme/keys"+query, nil)
		if !strings.Contains(string(r.Raw), own.ID) || strings.Contains(string(r.Raw), theirs.ID) || strings.Contains(string(r.Raw), "umbrella") {
			t.Errorf("the list%s is %s", query, r.Raw)
		}
	}
	for _, path := range []string{"owners", "keys", "owners/umbrella/keys", "owners/ACME/keys", "owners/acme2/keys", "roles"} {
		acme.Want(t, 403, "LIST", path, nil)
	}
}

func TestATenantCannotStepAroundItsPath(t *testing.T) {
	e := mounted(t)
	acme := e.As(e.EntityToken(t, "acme", recipe(t, "tenants.hcl")))
	theirs := e.Issue(t, "web", "umbrella")
	before := e.Stored(t)
	for _, path := range []string{
		"owners/acme/../umbrella/keys/", "owners/acme/keys/../../umbrella/keys/", "owners/acme%2F..%2Fumbrella/keys/",
		"owners/acme/%2e%2e/umbrella/keys/", "owners/acme//umbrella/keys/", "owners/acme/umbrella/keys/", "owners/umbrella/keys/",
		"owners/acme/keys/x/../../../umbrella/keys/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			r := acme.Ask(t, method, path+theirs.ID, fields{})
			if r.Status < 300 || r.Status > 499 || strings.Contains(string(r.Raw), "umbrella\"") {
				t.Errorf("%s %s: %d: %s", method, path, r.Status, r.Raw)
			}
		}
	}
	e.WantStored(t, before)
}

func TestATenantCannotMoveAKeyToAnotherOwner(t *testing.T) {
	e := mounted(t)
	acme := e.As(e.EntityToken(t, "acme", recipe(t, "tenants.hcl")))
	own := e.Issue(t, "web", "acme")
	before := e.Stored(t)
	path := "owners/acme/keys/" + own.ID
	for _, end := range []string{"", "/rotate", "/revoke"} {
		for _, body := range []fields{{"owner": "umbrella"}, {"role": "admin"}, {"key_id": strings.Repeat("0", 16)}} {
			acme.Want(t, 400, "POST", path+end, body)
		}
	}
	e.WantStored(t, before)
	acme.Want(t, 200, "POST", path, fields{"owner": "acme", "key_id": own.ID, "name": "the same values"})
}
