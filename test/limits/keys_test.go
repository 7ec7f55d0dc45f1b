package limits

import (
	"net/http"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// key is what issue, rotate or delegate answered with.
type key struct {
	text, id string
	lease    string
	data     fields
	warnings []any
}

// issue mints a key of the test's role.
func (e engine) issue(t *testing.T, body fields) key {
	t.Helper()
	return e.issueOf(t, e.web, body)
}

func (e engine) issueOf(t *testing.T, role string, body fields) key {
	t.Helper()
	return keyOf(t, e.ask(t, http.StatusOK, "POST", "issue/"+role, body))
}

func (e engine) rotate(t *testing.T, k key, body fields) key {
	t.Helper()
	return keyOf(t, e.ask(t, http.StatusOK, "POST", "rotate/"+k.id, body))
}

// delegate makes a child of a key.
func (e engine) delegate(t *testing.T, parent key, more fields) key {
	t.Helper()
	return keyOf(t, e.ask(t, http.StatusOK, "POST", "delegate", with(fields{"key": parent.text}, more)))
}

func keyOf(t *testing.T, r harness.Response) key {
	t.Helper()
	k := key{data: r.Data()}
	k.text, _ = k.data["key"].(string)
	k.id, _ = k.data["key_id"].(string)
	k.lease, _ = r.JSON["lease_id"].(string)
	k.warnings, _ = r.JSON["warnings"].([]any)
	if k.text == "" || k.id == "" {
		t.Fatal("the answer has no key or no key_id")
	}
	return k
}

// change updates a key.
func (e engine) change(t *testing.T, k key, body fields) fields {
	t.Helper()
	return e.write(t, "keys/"+k.id, body)
}

// verify asks about a key; more are further parameters.
func (e engine) verify(t *testing.T, text string, more ...fields) fields {
	t.Helper()
	return e.write(t, "verify", with(append([]fields{{"key": text}}, more...)...))
}

// wantCode verifies a key and wants this outcome, with the status that belongs to it.
func (e engine) wantCode(t *testing.T, code, text string, more ...fields) fields {
	t.Helper()
	d := e.verify(t, text, more...)
	if d["code"] != code || d["valid"] != (code == "valid") || number(t, d, "http_status") != statuses[code] {
		t.Fatalf("verify answers %v with valid=%v and http_status=%v, wanted %s and %d", d["code"], d["valid"], d["http_status"], code, statuses[code])
	}
	return d
}

// statuses are what a gateway shall answer its client.
var statuses = map[string]int{
	"valid": 200, "invalid": 401, "revoked": 401, "expired": 401, "superseded": 401, "disabled": 403, "parent_ended": 401,
	"ip_denied": 403, "insufficient_scope": 403, "rate_limited": 429, "quota_exceeded": 429,
}

// batch verifies many keys in one call and answers the results.
func (e engine) batch(t *testing.T, path string, items ...any) (results []fields) {
	t.Helper()
	list, _ := e.write(t, path, fields{"batch_input": items})["batch_results"].([]any)
	for _, result := range list {
		r, _ := result.(map[string]any)
		results = append(results, r)
	}
	if len(results) != len(items) {
		t.Fatalf("%d items are answered with %d results", len(items), len(results))
	}
	return results
}

// valid verifies a key so many times in one call, and answers how often it was valid.
func (e engine) valid(t *testing.T, text string, times int) (valid int) {
	t.Helper()
	for _, r := range e.batch(t, "verify", repeat(fields{"key": text}, times)...) {
		if r["valid"] == true {
			valid++
		}
	}
	return valid
}

func repeat(item any, times int) []any {
	items := make([]any, times)
	for i := range items {
		items[i] = item
	}
	return items
}

// together runs so many functions at once, by at most 32 at a time.
func together(times int, run func(i int)) {
	var wait sync.WaitGroup
	places := make(chan struct{}, 32)
	for i := range times {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			run(i)
		})
	}
	wait.Wait()
}
