package surface

import (
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
	return Roles(t, Engine{s, s.MountNew(t, mount())})
}

// At mounts the engine at a path that policies name, until the test ends.
func At(t testing.TB, s *harness.Server, path string) Engine {
	t.Helper()
	s.Mount(t, path, mount())
	t.Cleanup(func() { s.Unmount(t, path) })
	return Roles(t, Engine{s, path})
}

func mount() harness.Mount {
	return harness.Mount{RequestHeaders: []string{"X-API-Key", "X-Forwarded-For"}}
}

// Roles writes the roles that tests use, web and admin.
func Roles(t testing.TB, e Engine) Engine {
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

// Read is what a path holds.
func (e Engine) Read(t testing.TB, path string) Fields {
	t.Helper()
	return e.Want(t, http.StatusOK, http.MethodGet, path, nil).Data()
}

// Refused is a write that must be refused with this status and a message with these words. It answers the message.
func (e Engine) Refused(t testing.TB, status int, path string, body any, words ...string) string {
	t.Helper()
	message := e.Want(t, status, http.MethodPost, path, body).Errors()
	for _, word := range words {
		if !strings.Contains(message, word) {
			t.Errorf("a write to %s was refused with %q, which lacks %q", path, message, word)
		}
	}
	return message
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

// Stored is all that the mount has in storage, but for last uses and alerts: these are written from time to time, whoever
// asks what meanwhile.
func (e Engine) Stored(t testing.TB) map[string]string {
	t.Helper()
	stored := map[string]string{}
	e.WalkMount(t, e.Mount, func(path string, value []byte) {
		if !strings.HasPrefix(path, "usage/") && !strings.HasPrefix(path, "alert/") {
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
