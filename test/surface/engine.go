package surface

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// Engine is one mount, asked with one token.
type Engine struct {
	*harness.Server
	Mount string
}

// New mounts the engine at a path of its own. It passes on the header X-API-Key, and X-Forwarded-For, which nobody
// should read.
func New(t testing.TB, s *harness.Server) Engine {
	t.Helper()
	return withRoles(t, Engine{s, s.MountNew(t, mount())})
}

// At mounts the engine at a path that policies name, until the test ends.
func At(t testing.TB, s *harness.Server, path string) Engine {
	t.Helper()
	s.Mount(t, path, mount())
	t.Cleanup(func() { s.Unmount(t, path) })
	return withRoles(t, Engine{s, path})
}

func mount() harness.Mount {
	return harness.Mount{RequestHeaders: []string{"X-API-Key", "X-Forwarded-For"}}
}

// withRoles writes the roles that tests use, web and admin.
func withRoles(t testing.TB, e Engine) Engine {
	t.Helper()
	for _, role := range []string{"web", "admin"} {
		e.Write(t, "roles/"+role, Fields{
			"generate_lease":       false,
			"max_delegation_depth": 1,
			"owner_may_widen":      []string{"scopes", "bound_cidrs", "limits", "metadata"},
			"allowed_scopes":       []string{"read:*", "write:orders"},
			"default_scopes":       []string{"read:orders"},
		})
	}
	return e
}

// As is the same mount asked with another token.
func (e Engine) As(token string) Engine { return Engine{e.Server.As(token), e.Mount} }

// Ask is one request, whatever comes of it.
func (e Engine) Ask(t testing.TB, method, path string, body any, headers ...string) harness.Response {
	t.Helper()
	return e.API(t, method, e.Mount+"/"+path, body, headers...)
}

// Want is Ask for a test that knows the answer's status.
func (e Engine) Want(t testing.TB, status int, method, path string, body any, headers ...string) harness.Response {
	t.Helper()
	return e.Expect(t, status, method, e.Mount+"/"+path, body, headers...)
}

// Write must be answered with data.
func (e Engine) Write(t testing.TB, path string, body any) Fields {
	t.Helper()
	return e.Want(t, http.StatusOK, http.MethodPost, path, body).Data()
}

// Key is a key with what requests name of it.
type Key struct{ Text, ID, Owner, Role string }

// Issue mints a key of a role for an owner.
func (e Engine) Issue(t testing.TB, role, owner string) Key {
	t.Helper()
	return KeyOf(e.Write(t, "issue/"+role, Fields{"owner": owner}))
}

// KeyOf is the key that issue or rotate answered with.
func KeyOf(data Fields) Key {
	text := func(name string) string { s, _ := data[name].(string); return s }
	return Key{Text: text("key"), ID: text("key_id"), Owner: text("owner"), Role: text("role")}
}

// Code is what verify answers about a text.
func (e Engine) Code(t testing.TB, text string) any {
	t.Helper()
	return e.Write(t, "verify", Fields{"key": text})["code"]
}

// WantCode verifies a text and wants this outcome.
func (e Engine) WantCode(t testing.TB, code, text string) {
	t.Helper()
	if got := e.Code(t, text); got != code {
		t.Errorf("verify answers %v, wanted %s", got, code)
	}
}

// Fill puts a key's values into a text of an Operation.
func (k Key) Fill(text string) string {
	return strings.NewReplacer("{role}", k.Role, "{owner}", k.Owner, "{key_id}", k.ID, "{key}", k.Text,
		"{new_role}", "role-"+strings.ToLower(rand.Text()[:8])).Replace(text)
}

// Try sends an operation's request for a key, with further parameters.
func (e Engine) Try(t testing.TB, m Method, op Operation, k Key, more Fields) harness.Response {
	t.Helper()
	body := Fields{}
	for name, value := range op.Body {
		if s, ok := value.(string); ok {
			value = k.Fill(s)
		}
		body[name] = value
	}
	maps.Copy(body, more)
	headers := slices.Clone(m.Headers)
	for _, line := range op.Headers {
		headers = append(headers, k.Fill(line))
	}
	path := k.Fill(op.Path) + m.Query
	switch m.Verb {
	case "update", "patch":
		return e.Ask(t, m.Name, path, body, headers...)
	default:
		return e.Ask(t, m.Name, path+query(m.Query, body), nil, headers...)
	}
}

// query is the parameters of a request that has no body.
func query(before string, parameters Fields) string {
	if len(parameters) == 0 {
		return ""
	}
	values := url.Values{}
	for name, value := range parameters {
		values.Set(name, fmt.Sprint(value))
	}
	if before != "" {
		return "&" + values.Encode()
	}
	return "?" + values.Encode()
}

// Stored is all that the mount has in storage, but for last uses: these are written from time to time, whoever asks
// what meanwhile.
func (e Engine) Stored(t testing.TB) map[string]string {
	t.Helper()
	stored := map[string]string{}
	e.WalkMount(t, e.Mount, func(path string, value []byte) {
		if !strings.HasPrefix(path, "usage/") {
			stored[path] = string(value)
		}
	})
	return stored
}

// WantStored fails the test when storage is not byte for byte what it was.
func (e Engine) WantStored(t testing.TB, before map[string]string) {
	t.Helper()
	after := e.Stored(t)
	for path, value := range before {
		if after[path] != value {
			t.Errorf("the stored entry %s has changed or is gone", path)
		}
	}
	for path := range after {
		if _, was := before[path]; !was {
			t.Errorf("the stored entry %s is new", path)
		}
	}
}
