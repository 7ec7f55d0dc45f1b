package surface

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// Key is a key with what its answer said of it.
type Key struct {
	Text, ID, Owner, Role string

	Data     Fields
	Lease    string // "" if unleased
	Seconds  int    // the lease's duration
	Warnings string // a line each
}

// Issue mints a key of a role for an owner.
func (e Engine) Issue(t testing.TB, role, owner string) Key {
	t.Helper()
	return e.Minted(t, "issue/"+role, Fields{"owner": owner})
}

// Minted is the key that a write is answered with: issue, rotate, delegate.
func (e Engine) Minted(t testing.TB, path string, body any) Key {
	t.Helper()
	return KeyOf(t, e.Want(t, http.StatusOK, http.MethodPost, path, body))
}

// KeyOf is the key of such an answer, in clear or sealed to the recipient who is known, but not both.
func KeyOf(t testing.TB, r harness.Response) Key {
	t.Helper()
	data := r.Data()
	text := func(name string) string { s, _ := data[name].(string); return s }
	clear, sealed := text("key"), opener.Opened(text("sealed_key"))
	if clear != "" && fmt.Sprint(data["recipients"]) != "[]" {
		t.Error("a sealed key is answered in clear")
	}
	k := Key{Text: cmp.Or(clear, sealed), ID: text("key_id"), Owner: text("owner"), Role: text("role"), Data: data, Warnings: Warnings(r)}
	if k.Text == "" || k.ID == "" {
		t.Fatal("the answer has no key or no key_id")
	}
	k.Lease, _ = r.JSON["lease_id"].(string)
	k.Seconds = Number(t, r.JSON, "lease_duration")
	return k
}

// Warnings are an answer's warnings, a line each.
func Warnings(r harness.Response) string {
	list, _ := r.JSON["warnings"].([]any)
	lines := make([]string, len(list))
	for i, warning := range list {
		lines[i] = fmt.Sprint(warning)
	}
	return strings.Join(lines, "\n")
}

// Fill puts a key's values into a text of an Operation.
func (k Key) Fill(text string) string {
	return strings.NewReplacer("{role}", k.Role, "{owner}", k.Owner, "{key_id}", k.ID, "{key}", k.Text,
		"{new_role}", "role-"+strings.ToLower(rand.Text()[:8]), "{honeytoken}", "trap-"+strings.ToLower(rand.Text()[:8]), "{alert}", "forged_keys", "{new_static}", "static-"+strings.ToLower(rand.Text()[:8])).Replace(text)
}

// statuses are what a gateway shall answer its client.
var statuses = map[string]int{
	"valid": 200, "invalid": 401, "revoked": 401, "expired": 401, "superseded": 401, "disabled": 403, "parent_ended": 401,
	"ip_denied": 403, "insufficient_scope": 403, "rate_limited": 429, "quota_exceeded": 429,
}

// Verify asks about a text; more are further parameters.
func (e Engine) Verify(t testing.TB, text string, more ...Fields) Fields {
	t.Helper()
	return e.Write(t, "verify", With(append([]Fields{{"key": text}}, more...)...))
}

// Code is what verify answers about a text.
func (e Engine) Code(t testing.TB, text string) any {
	t.Helper()
	return e.Verify(t, text)["code"]
}

// WantCode verifies a text and wants this outcome, with the status that belongs to it.
func (e Engine) WantCode(t testing.TB, code, text string, more ...Fields) Fields {
	t.Helper()
	d := e.Verify(t, text, more...)
	if d["code"] != code || d["valid"] != (code == "valid") || Number(t, d, "http_status") != statuses[code] {
		t.Fatalf("verify answers %v with valid=%v and http_status=%v, wanted %s and %d", d["code"], d["valid"], d["http_status"], code, statuses[code])
	}
	return d
}
