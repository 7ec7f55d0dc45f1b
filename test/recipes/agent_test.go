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
		"leased":   {"ttl": "24s", "max_ttl": "24s"},
		"unleased": {"ttl": "40s", "rotation_period": "3s", "generate_lease": false},
	} {
		e.Write(t, "roles/"+role, settings)
	}
	for _, role := range []string{"leased", "unleased"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			a := newAgent(t, e, "agent.hcl", "issue/service", "issue/"+role)
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

// TestARotationByVaultAgentEndsNothingBeforeItsFirstUse has a service that is slow to take what lies in its file: it goes
// on with the key that it has, through rotations and a restart of the Agent.
func TestARotationByVaultAgentEndsNothingBeforeItsFirstUse(t *testing.T) {
	t.Parallel()
	e := surface.New(t, servers.Server(t))
	e.Write(t, "roles/declared", fields{
		"generate_lease": false, "ttl": "1h", "grace_period": "15s", "rotation_period": "3s", "max_pending_period": "1h",
	})
	held := e.Minted(t, "static-keys/billing", fields{"role": "declared", "owner": "billing"})
	a := newAgent(t, e, "rotate.hcl", "static-keys/billing/rotate", "static-keys/billing/rotate")
	stop := a.start(t)
	inFile := ""
	for n := range 3 {
		if n == 2 {
			stop()
			a.start(t)
		}
		inFile = a.wait(t, inFile, func() { e.WantCode(t, "valid", held.Text) })
	}
	if d := e.WantCode(t, "valid", inFile); d["superseded"] != false {
		t.Error("the version in the file is not the current one after its first use")
	}
	for range 2 {
		// The grace begins with the first use, of which the service is told by nothing.
		if d := e.WantCode(t, "valid", held.Text); d["superseded"] != true {
			t.Error("the version before is not superseded by the first use")
		}
		held.Text, inFile = inFile, a.next(t, inFile)
	}
}

// agent is the recipe with its files.
type agent struct {
	surface.Engine
	config, key, told string
}

// newAgent lets an AppRole log in that may do this one thing, and writes the recipe for it.
func newAgent(t *testing.T, e surface.Engine, file, recipe, path string) *agent {
	t.Helper()
	dir := t.TempDir()
	a := &agent{Engine: e, config: filepath.Join(dir, "agent.hcl"), key: filepath.Join(dir, "api-key"), told: filepath.Join(dir, "told")}
	roleID, secretID := e.AppRole(t, fmt.Sprintf(`path "%s/%s" { capabilities = ["update"] }`, e.Mount, path))
	text := read(t, "agent/"+file)
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

func (a *agent) start(t *testing.T) (stop func()) {
	t.Helper()
	return a.Background(t, "agent", "-config="+a.config)
}

// next waits for a key after this one. Until then, and with it, each verification of what the file holds must work.
func (a *agent) next(t *testing.T, before string) (key string) {
	t.Helper()
	key = a.wait(t, before, func() {
		if before != "" {
			a.WantCode(t, "valid", read(t, a.key))
		}
	})
	a.WantCode(t, "valid", key)
	return key
}

// wait waits until the file holds a key other than before, and meanwhile does this again and again.
func (a *agent) wait(t *testing.T, before string, meanwhile func()) (key string) {
	t.Helper()
	harness.Eventually(t, time.Minute, "wait for the Agent to write a key", func() error {
		meanwhile()
		text, err := os.ReadFile(a.key)
		if key = string(text); err == nil && (key == "" || key == before) {
			err = fmt.Errorf("the file still holds the one before")
		}
		return err
	})
	return key
}

// wantTold wants the command to have run for each of so many changes. There may be another by now.
func (a *agent) wantTold(t *testing.T, times int) {
	t.Helper()
	harness.Eventually(t, 10*time.Second, "wait for the Agent to tell of each key", func() error {
		text, err := os.ReadFile(a.told)
		if got := strings.Count(string(text), "told"); err == nil && got < times {
			err = fmt.Errorf("it told %d times, wanted %d", got, times)
		}
		return err
	})
}
