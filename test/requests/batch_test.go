package requests

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// A batch is answered in a form that Vault passes on as it is. Nobody must be able to tell.

func batchOf(items ...any) fields { return fields{"batch_input": items} }

func TestABatchIsAnsweredLikeAnythingElse(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	single := e.Want(t, http.StatusOK, http.MethodPost, "verify/web", fields{"key": k.Text})
	batch := e.Want(t, http.StatusOK, http.MethodPost, "verify/web", batchOf(fields{"key": k.Text}))

	if results := batch.Data(); len(results) != 1 || !reflect.DeepEqual(results["batch_results"], []any{single.JSON["data"]}) {
		t.Errorf("a batch of one is answered %s\nwhere the item alone is answered %s", batch.Raw, single.Raw)
	}
	if id, _ := batch.JSON["request_id"].(string); len(id) != 36 || id == single.JSON["request_id"] {
		t.Errorf("the request's id is %q", id)
	}
	for _, r := range []map[string]any{single.JSON, batch.JSON} {
		delete(r, "request_id")
		delete(r, "data")
	}
	if !maps.EqualFunc(single.JSON, batch.JSON, func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("around its data a batch has %v, a single answer %v", batch.JSON, single.JSON)
	}
	for _, r := range []http.Header{single.Header, batch.Header} {
		r.Del("Date")
		r.Del("Content-Length")
		r.Del("Transfer-Encoding")
	}
	if !reflect.DeepEqual(single.Header, batch.Header) {
		t.Errorf("the headers of a batch are %v, of a single answer %v", batch.Header, single.Header)
	}
}

func TestABatchCanBeWrapped(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	wrapped := e.Want(t, http.StatusOK, http.MethodPost, "verify", batchOf(fields{"key": k.Text}), "X-Vault-Wrap-TTL: 60s")
	info, _ := wrapped.JSON["wrap_info"].(map[string]any)
	token, _ := info["token"].(string)
	if token == "" || wrapped.Data() != nil {
		t.Fatalf("it is answered %s", wrapped.Raw)
	}
	r := e.Expect(t, http.StatusOK, http.MethodPost, "sys/wrapping/unwrap", nil, "X-Vault-Token: "+token)
	if results, _ := r.Data()["batch_results"].([]any); len(results) != 1 || results[0].(map[string]any)["code"] != "valid" {
		t.Errorf("unwrapped it is %s", r.Raw)
	}
}

func TestAuthorizeIsNotAnsweredWithAWrappingToken(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, text := range []string{k.Text, "no key"} {
		r := e.Ask(t, http.MethodPost, "authorize/web", fields{"key": text}, "X-Vault-Wrap-TTL: 60s")
		if r.Status != http.StatusBadRequest || r.JSON["wrap_info"] != nil {
			t.Errorf("it is answered %d: %s", r.Status, r.Raw)
		}
	}
}

func TestTheAuditLogTellsWhatABatchDecided(t *testing.T) {
	e := mounted(t)
	k, ended := e.Issue(t, "web", "acme"), e.Issue(t, "web", "acme")
	e.Write(t, "revoke/"+ended.ID, nil)
	before := len(e.AuditLog(t))
	r := e.Want(t, http.StatusOK, http.MethodPost, "verify", batchOf(fields{"key": k.Text}, fields{"key": "no key"}, fields{}, fields{"key": ended.Text, "brief": true}))
	log := e.AuditLog(t)[before:]
	for _, text := range []string{k.Text, ended.Text, k.ID} {
		if strings.Contains(log, text) {
			t.Errorf("the audit log has a string of the answer in clear")
		}
	}
	entry := auditedAnswer(t, log, r.JSON["request_id"])
	if want := []any{200.0, 401.0, 400.0, 401.0}; !reflect.DeepEqual(entry["http_status"], want) {
		t.Errorf("the statuses in the audit log are %v, not %v", entry["http_status"], want)
	}
	single := e.Want(t, http.StatusOK, http.MethodPost, "verify", fields{"key": ended.Text})
	alone := auditedAnswer(t, e.AuditLog(t), single.JSON["request_id"])
	for _, name := range []string{"key_id", "owner", "code"} {
		inBatch, _ := entry[name].([]any)
		if hash, _ := alone[name].(string); len(inBatch) != 4 || !strings.HasPrefix(hash, "hmac-sha256:") || inBatch[3] != hash {
			t.Errorf("%s: the audit log has %v of the batch and %v of its last item alone", name, inBatch, alone[name])
		}
	}
}

// auditedAnswer is the data of an answer as the audit log has them.
func auditedAnswer(t *testing.T, log string, request any) map[string]any {
	t.Helper()
	for line := range strings.Lines(log) {
		var entry struct {
			Type     string
			Request  struct{ ID string }
			Response struct{ Data map[string]any }
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("the audit log has a line that is no JSON: %v", err)
		}
		if entry.Type == "response" && entry.Request.ID == request {
			return entry.Response.Data
		}
	}
	t.Fatal("the audit log lacks the answer")
	return nil
}
