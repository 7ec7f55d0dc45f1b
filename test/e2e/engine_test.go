package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// patience bounds waits for what the server does by itself.
const patience = 30 * time.Second

// fields are parameters, or the data of an answer.
type fields = map[string]any

// engine is one mount, asked with one token.
type engine struct {
	*harness.Server
	mount string
}

// mounted is a mount on the shared server that passes on the key's header.
func mounted(t *testing.T) engine {
	t.Helper()
	return mountedOn(t, servers.Server(t))
}

func mountedOn(t *testing.T, s *harness.Server) engine {
	t.Helper()
	return engine{s, s.MountNew(t, harness.Mount{RequestHeaders: []string{"X-API-Key"}})}
}

// as is the same mount asked with another token.
func (e engine) as(token string) engine { return engine{e.As(token), e.mount} }

func (e engine) path(path string) string { return e.mount + "/" + path }

// ask is one request of any kind whose status the test knows.
func (e engine) ask(t *testing.T, status int, method, path string, body any) harness.Response {
	t.Helper()
	return e.Expect(t, status, method, e.path(path), body)
}

// write must be answered with data.
func (e engine) write(t *testing.T, path string, body fields) fields {
	t.Helper()
	return e.ask(t, http.StatusOK, "POST", path, body).Data()
}

func (e engine) read(t *testing.T, path string) fields {
	t.Helper()
	return e.ask(t, http.StatusOK, "GET", path, nil).Data()
}

// refused is a write that must be refused with this status and a message with these words. It answers the message.
func (e engine) refused(t *testing.T, status int, path string, body any, words ...string) string {
	t.Helper()
	message := e.ask(t, status, "POST", path, body).Errors()
	for _, word := range words {
		if !strings.Contains(message, word) {
			t.Errorf("a write to %s was refused with %q, which lacks %q", path, message, word)
		}
	}
	return message
}

// key is what issue or rotate answered with.
type key struct {
	text, id string
	lease    string // "" if unleased
	seconds  int    // the lease's duration
	data     fields
	warnings string
}

func (e engine) issue(t *testing.T, role string, body fields) key {
	t.Helper()
	return e.minted(t, "issue/"+role, body)
}

func (e engine) rotate(t *testing.T, id string, body fields) key {
	t.Helper()
	return e.minted(t, "rotate/"+id, body)
}

func (e engine) minted(t *testing.T, path string, body fields) key {
	t.Helper()
	return keyOf(t, e.ask(t, http.StatusOK, "POST", path, body))
}

func keyOf(t *testing.T, r harness.Response) key {
	t.Helper()
	k := key{data: r.Data(), seconds: leaseSeconds(t, r), warnings: warnings(r)}
	k.text, _ = k.data["key"].(string)
	k.id, _ = k.data["key_id"].(string)
	k.lease, _ = r.JSON["lease_id"].(string)
	if k.text == "" || k.id == "" {
		t.Fatal("the answer has no key or no key_id")
	}
	return k
}

func warnings(r harness.Response) string {
	list, _ := r.JSON["warnings"].([]any)
	return strings.TrimSuffix(fmt.Sprintln(list...), "\n")
}

// verify asks about a key; more are further parameters.
func (e engine) verify(t *testing.T, text string, more ...fields) fields {
	t.Helper()
	body := fields{"key": text}
	for _, m := range more {
		maps.Copy(body, m)
	}
	return e.write(t, "verify", body)
}

// wantCode verifies a key and wants this outcome.
func (e engine) wantCode(t *testing.T, code, text string, more ...fields) fields {
	t.Helper()
	d := e.verify(t, text, more...)
	if d["code"] != code {
		t.Fatalf("verify answers %v, wanted %s", d["code"], code)
	}
	statuses := map[string]int{"valid": 200, "disabled": 403, "ip_denied": 403, "insufficient_scope": 403}
	status := statuses[code]
	if status == 0 {
		status = http.StatusUnauthorized
	}
	if d["valid"] != (code == "valid") || number(t, d, "http_status") != status {
		t.Fatalf("verify answers %s with valid=%v and http_status=%v", code, d["valid"], d["http_status"])
	}
	return d
}

// eventuallyCode waits for an outcome that the server brings about by itself.
func (e engine) eventuallyCode(t *testing.T, code, text string) {
	t.Helper()
	harness.Eventually(t, patience, "wait for the key to answer "+code, func() error {
		if got := e.verify(t, text)["code"]; got != code {
			return fmt.Errorf("it answers %v", got)
		}
		return nil
	})
}
