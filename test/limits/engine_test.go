package limits

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// fields are parameters, or the data of an answer.
type fields = surface.Fields

// engine is one mount with a role of the test's own, asked with one token.
type engine struct {
	surface.Engine
	web string
}

// shared is the mount of all tests that only need roles, owners and keys of their own.
var shared struct {
	once  sync.Once
	mount string
	roles atomic.Int64
}

// mounted is the shared mount with a new role, whose keys are unleased and may hold any scope.
func mounted(t *testing.T) engine {
	t.Helper()
	s := servers.Server(t)
	shared.once.Do(func() { shared.mount = mountedOn(t, s).Mount })
	e := engineAt(s, shared.mount)
	e.web = fmt.Sprintf("web-%d", shared.roles.Add(1))
	e.setRole(t, nil)
	return e
}

// mountedOn is a mount on a server of the test's own. It lasts as long as the server does.
func mountedOn(t *testing.T, s *harness.Server) engine {
	t.Helper()
	e := engineAt(s, "apikeys")
	s.Mount(t, e.Mount, harness.Mount{
		RequestHeaders:  []string{"X-API-Key", "X-Required-Scopes", "X-Client-Ip"},
		ResponseHeaders: []string{"X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted", "Deprecation", "Sunset", "Retry-After"},
	})
	e.hashCheaply(t)
	e.setRole(t, nil)
	return e
}

func engineAt(s *harness.Server, mount string) engine {
	return engine{surface.Engine{Server: s, Mount: mount}, "web"}
}

// hashCheaply sets a hashing cost that the engine accepts from nobody. No test here is about hashes, and thousands of
// keys at the lowest cost that may be configured would take minutes.
func (e engine) hashCheaply(t *testing.T) {
	t.Helper()
	e.Write(t, "config", fields{"usage_flush_interval": "1s"})
	var stored fields
	e.WalkMount(t, e.Mount, func(path string, value []byte) {
		if path == "config" && json.Unmarshal(value, &stored) != nil {
			t.Fatal("the stored configuration is no JSON")
		}
	})
	config, _ := stored["record"].(map[string]any)
	config["argon2_memory_kib"], config["argon2_iterations"] = 8, 1
	cheap, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	e.WriteMount(t, e.Mount, "config", cheap)
	e.Reload(t)
	if got := surface.Number(t, e.Read(t, "config"), "argon2_memory_kib"); got != 8 {
		t.Fatalf("a hash takes %d KiB", got)
	}
}

// setRole makes or changes the test's role.
func (e engine) setRole(t *testing.T, more fields) {
	t.Helper()
	e.setRoleNamed(t, e.web, more)
}

// setRoleNamed makes or changes a role of unleased keys.
func (e engine) setRoleNamed(t *testing.T, name string, more fields) {
	t.Helper()
	e.Write(t, "roles/"+name, surface.With(fields{"generate_lease": false, "allowed_scopes": []string{"*"}}, more))
}

// as is the same mount asked with another token.
func (e engine) as(token string) engine { return engine{e.As(token), e.web} }

// try is one request whatever comes of it.
func (e engine) try(t *testing.T, path string, body any) harness.Response {
	t.Helper()
	return e.API(t, "POST", e.Mount+"/"+path, body)
}
