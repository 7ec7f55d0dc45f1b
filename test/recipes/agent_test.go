package recipes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// rotations is how many keys follow the first one while the file is watched.
const rotations = 5

// TestNoVerificationFailsWhileVaultAgentKeepsAKey verifies again and again what the file holds, while the Agent changes
// it and is restarted once.
func TestNoVerificationFailsWhileVaultAgentKeepsAKey(t *testing.T) {
	t.Parallel()
	e := surface.New(t, servers.Server(t))
	for role, settings := range map[string]fields{
		"leased":   {"ttl": "9s", "max_ttl": "9s"},
		"unleased": {"ttl": "10s", "rotation_period": "3s", "generate_lease": false},
	} {
		e.Write(t, "roles/"+role, settings)
	}
	for _, role := range []string{"leased", "unleased"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t, e, "issue/service", "issue/"+role)
			stop := a.start(t)
			key := a.next(t, "")
			for n := range rotations {
				if n == rotations/2 {
					stop()
					stop = a.start(t)
				}
				key = a.next(t, key)
			}
			a.wantTold(t, rotations+1)
		})
	}
}

// agent is the recipe with its files.
type agent struct {
	surface.Engine
	config, key, told string
}

// newAgent lets an AppRole log in that may do this one thing, and writes the recipe for it.
func newAgent(t *testing.T, e surface.Engine, recipe, path string) *agent {
	t.Helper()
	dir := t.TempDir()
	a := &agent{Engine: e, config: filepath.Join(dir, "agent.hcl"), key: filepath.Join(dir, "api-key"), told: filepath.Join(dir, "told")}
	roleID, secretID := appRole(t, e.Server, fmt.Sprintf(`path "%s/%s" { capabilities = ["update"] }`, e.Mount, path))
	text := read(t, "agent/agent.hcl")
	for before, after := range map[string]string{
		"http://127.0.0.1:8200":            e.Address(),
		"apikeys/" + recipe:                e.Mount + "/" + path,
		"/etc/billing":                     dir,
		"/run/billing/api-key":             a.key,
		`"systemctl", "reload", "billing"`: fmt.Sprintf(`"sh", "-c", "echo told >> %s"`, a.told),
	} {
		if !strings.Contains(text, before) {
			t.Fatalf("the recipe has no %s", before)
		}
		text = strings.ReplaceAll(text, before, after)
	}
	for file, content := range map[string]string{"agent.hcl": text, "role-id": roleID, "secret-id": secretID} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// appRole is who may do what this policy says. Its tokens are periodic, so that they outlive the leases.
func appRole(t *testing.T, s *harness.Server, policy string) (roleID, secretID string) {
	t.Helper()
	if s.API(t, "GET", "sys/auth/approle", nil).Status != 200 {
		s.API(t, "POST", "sys/auth/approle", fields{"type": "approle"})
	}
	role := "auth/approle/role/" + s.Policy(t, policy)
	s.Expect(t, 204, "POST", role, fields{"token_policies": filepath.Base(role), "token_period": "1h"})
	roleID = s.Expect(t, 200, "GET", role+"/role-id", nil).Data()["role_id"].(string)
	return roleID, s.Expect(t, 200, "POST", role+"/secret-id", nil).Data()["secret_id"].(string)
}

func (a *agent) start(t *testing.T) (stop func()) {
	t.Helper()
	return a.Background(t, "agent", "-config="+a.config)
}

// next waits for a key after this one. Until then, and with it, each verification of what the file holds must work.
func (a *agent) next(t *testing.T, before string) (key string) {
	t.Helper()
	harness.Eventually(t, time.Minute, "wait for the Agent to write a key", func() error {
		text, err := os.ReadFile(a.key)
		if key = string(text); err == nil && key == "" || os.IsNotExist(err) && before == "" {
			return fmt.Errorf("there is none yet")
		}
		if err != nil {
			t.Fatal(err)
		}
		a.WantCode(t, "valid", key)
		if key == before {
			return fmt.Errorf("the file still holds the one before")
		}
		return nil
	})
	return key
}

// wantTold wants the command to have run for each change.
func (a *agent) wantTold(t *testing.T, times int) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, "wait for the Agent to tell of each key", func() error {
		text, err := os.ReadFile(a.told)
		if got := strings.Count(string(text), "told"); err == nil && got != times {
			err = fmt.Errorf("it told %d times, wanted %d", got, times)
		}
		return err
	})
}
