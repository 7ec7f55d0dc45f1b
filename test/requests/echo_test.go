package requests

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// forms are what a key's text can be sent as, by mistake, for any parameter.
func forms(text string) map[string]any {
	return map[string]any{
		"itself": text, "an object": fields{"key": text}, "a list": []any{text}, "a pair": text + "=" + text,
		"with spaces": " " + text + " ", "a list of two": []any{[]any{text}, 7}, "two in a text": text + "," + text,
	}
}

// asNames are those in which it is a name. Vault's audit log shows the names of parameters in clear, so these are
// looked for in answers and the server's log only.
func asNames(text string) map[string]any {
	return map[string]any{"a name in an object": fields{text: true}, "a name of a name": fields{text: fields{text: text}}, "a name in a list": []any{fields{text: "x"}}}
}

// everyParameter is what any operation takes, and some that none does.
var everyParameter = []string{
	"key", "scopes", "client_ip", "role", "owner", "name", "metadata", "ttl", "bound_cidrs", "grace_period", "expected_version", "reason", "key_id", "disabled", "prefix",
	"max_ttl", "allowed_scopes", "default_scopes", "owner_template", "description", "argon2_memory_kib", "revoked_retention", "default_prefix", "allow_key_in_query",
	"keys", "key_ids", "roles", "owners", "known", "gate", "run", "nonce", "cursor", "wait", "max_staleness", "limit", "after", "unknown", "Key", "api_key", "x-api-key",
}

func TestAKeySentAsAnotherValueIsEchoedNowhere(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	audited, logged := len(e.AuditLog(t)), len(e.Log())
	send(t, e, k, forms(k.Text))
	wantAbsent(t, e.AuditLog(t)[audited:], k, "the audit log")
	wantAbsent(t, e.Log()[logged:], k, "the server's log")
}

func TestAKeySentAsANameIsNeitherAnsweredNorLogged(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	logged := len(e.Log())
	send(t, e, k, asNames(k.Text))
	for _, op := range writes() {
		for _, name := range []string{k.Text, "name=" + k.Text, k.Text[len(k.Text)-40:], "a" + k.Text[len(k.Text)-39:], strings.ToLower(k.Text)} {
			wantNoEcho(t, e.Try(t, post, op, k, fields{name: "x", "ttl": true}), k, op.Path+" as a parameter's name")
		}
	}
	wantAbsent(t, e.Log()[logged:], k, "the server's log")
}

func TestAKeySentAsABodyIsEchoedNowhere(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	audited, logged := len(e.AuditLog(t)), len(e.Log())
	for _, op := range writes() {
		for _, body := range []string{k.Text, `"` + k.Text + `"`, `["` + k.Text + `"]`, `{"key": ` + k.Text + `}`, `{"` + k.Text + `"`, "key=" + k.Text, `{"key": "` + k.Text} {
			r := e.Ask(t, "POST", k.Fill(op.Path), body)
			if r.Status < 400 && len(op.Body) > 0 {
				t.Errorf("%s with a body of %d bytes that is no JSON: %d", op.Path, len(body), r.Status)
			}
			wantAbsent(t, string(r.Raw), k, op.Path+" as a body")
		}
	}
	wantAbsent(t, e.AuditLog(t)[audited:], k, "the audit log")
	wantAbsent(t, e.Log()[logged:], k, "the server's log")
}

var post = surface.Method{Name: "POST", Verb: "update"}

// writes are the operations that take data.
func writes() (ops []surface.Operation) {
	for _, op := range surface.Operations() {
		if op.Verb == "update" || op.Verb == "create" {
			ops = append(ops, op)
		}
	}
	return ops
}

// send sends each value for every parameter of every operation, but for a key in its right place. A parameter that
// the operation does not know is refused by its name, so one value of it will do.
func send(t *testing.T, e surface.Engine, k surface.Key, values map[string]any) {
	t.Helper()
	for _, op := range writes() {
		for _, name := range everyParameter {
			for form, value := range values {
				if name == "key" && form == "itself" {
					continue
				}
				r := e.Try(t, post, op, k, fields{name: value})
				wantNoEcho(t, r, k, op.Path+" "+name+" as "+form)
				if strings.Contains(r.Errors(), "unknown parameter") {
					break
				}
			}
		}
	}
}

// wantNoEcho looks at refusals and at warnings. A text that a caller stores as a name, an owner or in metadata is
// answered as it was stored.
func wantNoEcho(t *testing.T, r harness.Response, k surface.Key, what string) {
	t.Helper()
	if r.Status >= 500 {
		t.Errorf("%s: %d: %s", what, r.Status, shown(r))
	}
	text := string(r.Raw)
	if r.Status < 300 {
		warnings, _ := r.JSON["warnings"].([]any)
		text = ""
		for _, w := range warnings {
			text += w.(string)
		}
	}
	wantAbsent(t, text, k, what)
}

// wantAbsent finds a key's secret and each part of it of a dozen characters.
func wantAbsent(t *testing.T, text string, k surface.Key, where string) {
	t.Helper()
	_, version, secret := parts(k)
	body := version + secret
	for at := 0; at+12 <= len(body); at++ {
		if i := strings.Index(text, body[at:at+12]); i >= 0 {
			t.Errorf("%s has a part of the key: %.200s", where, text[max(0, i-100):])
			return
		}
	}
}

func TestAKeyInTheWrongHeaderIsEchoedNowhere(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	audited, logged := len(e.AuditLog(t)), len(e.Log())
	for _, path := range []string{"verify", "verify/web", "keys", "config", "info", "rotate"} {
		for _, headers := range [][]string{
			{"X-API-Key: " + k.Text}, {"X-API-Key: " + k.Text, "X-API-Key: " + k.Text}, {"X-API-Key: Bearer " + k.Text}, {"X-Forwarded-For: " + k.Text}, {"Api-Key: " + k.Text},
		} {
			for _, query := range []string{"", "?client_ip=x", "?scopes=", "?unknown=1"} {
				for _, method := range []string{"GET", "POST", "LIST", "DELETE"} {
					wantNoEcho(t, e.Ask(t, method, path+query, nil, headers...), k, method+" "+path+query+" with a header")
				}
			}
		}
	}
	wantAbsent(t, e.AuditLog(t)[audited:], k, "the audit log")
	wantAbsent(t, e.Log()[logged:], k, "the server's log")
}
