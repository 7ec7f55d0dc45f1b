package e2e

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// patience bounds waits for what the server does by itself.
const patience = 30 * time.Second

// fields are parameters, or the data of an answer.
type fields = surface.Fields

// engine is one mount, asked with one token, with what is asked of it here.
type engine struct{ surface.Engine }

// mounted is a mount on the shared server that passes on the key's header.
func mounted(t *testing.T) engine {
	t.Helper()
	return mountedOn(t, servers.Server(t))
}

func mountedOn(t *testing.T, s *harness.Server) engine {
	t.Helper()
	return engineAt(s, s.MountNew(t, harness.Mount{RequestHeaders: []string{"X-API-Key"}}))
}

func engineAt(s *harness.Server, mount string) engine {
	return engine{surface.Engine{Server: s, Mount: mount}}
}

// as is the same mount asked with another token.
func (e engine) as(token string) engine { return engine{e.As(token)} }

func (e engine) path(path string) string { return e.Mount + "/" + path }

// key is what issue or rotate answered with.
type key = surface.Key

func (e engine) issue(t *testing.T, role string, body fields) key {
	t.Helper()
	return e.Minted(t, "issue/"+role, body)
}

func (e engine) rotate(t *testing.T, id string, body fields) key {
	t.Helper()
	return e.Minted(t, "rotate/"+id, body)
}

// eventuallyCode waits for an outcome that the server brings about by itself.
func (e engine) eventuallyCode(t *testing.T, code, text string) {
	t.Helper()
	harness.Eventually(t, patience, "wait for the key to answer "+code, func() error {
		if got := e.Verify(t, text)["code"]; got != code {
			return fmt.Errorf("it answers %v", got)
		}
		return nil
	})
}
