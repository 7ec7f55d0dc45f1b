package readme

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

func TestConfigurationShownIsThatOfTheRecipes(t *testing.T) {
	_, blocks := document(t)
	var shown []string
	for _, b := range blocks {
		if b.language == "hcl" {
			shown = append(shown, b.text)
		}
	}
	recipes := map[string]string{}
	err := filepath.WalkDir(root+"/test/recipes", func(path string, entry fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && (ext == ".hcl" || ext == ".tf") {
			text, err := os.ReadFile(path)
			recipes[string(text)] = path
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range shown {
		if recipes[text] == "" {
			t.Errorf("no recipe is this block:\n%s", text)
		}
	}
	for text, path := range recipes {
		if !slices.Contains(shown, text) {
			t.Errorf("no file shows %s as it is", path)
		}
	}
}

// TestTheTerraformRoleShowsNoDifference does what the provider's generic endpoint does with absent fields ignored: write,
// read, and compare what was written.
func TestTheTerraformRoleShowsNoDifference(t *testing.T) {
	e := surface.At(t, servers.Server(t), "apikeys")
	text := read(t, "test/recipes/terraform/role.tf")
	path := regexp.MustCompile(`(?m)^  path += "apikeys/(.*)"$`).FindStringSubmatch(text)[1]
	written := surface.Fields{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) += (.*)$`).FindAllStringSubmatch(text, -1) {
		written[m[1]] = json.RawMessage(m[2])
	}
	if len(written) < 5 {
		t.Fatalf("found only %d fields", len(written))
	}
	e.Want(t, 200, "PUT", path, written)
	got := e.Want(t, 200, "GET", path, nil).Data()
	for name, value := range written {
		back, _ := json.Marshal(got[name])
		if wanted := strings.ReplaceAll(string(value.(json.RawMessage)), ", ", ","); string(back) != wanted {
			t.Errorf("%s was written as %s and is read as %s", name, wanted, back)
		}
	}
}

func TestVaultAgentKeepsAWorkingKeyInAFile(t *testing.T) {
	e := surface.At(t, servers.Server(t), "apikeys")
	for role, settings := range map[string]surface.Fields{
		"leased":   {"ttl": "4s", "max_ttl": "8s"},
		"unleased": {"ttl": "6s", "generate_lease": false},
	} {
		e.Write(t, "roles/"+role, settings)
	}
	t.Run("agents", func(t *testing.T) {
		for _, role := range []string{"leased", "unleased"} {
			t.Run(role, func(t *testing.T) {
				t.Parallel()
				file := startAgent(t, e, role)
				first := waitForKey(t, file, "")
				e.WantCode(t, "valid", first)
				e.WantCode(t, "valid", waitForKey(t, file, first))
			})
		}
	})
}

// startAgent runs the recipe's Agent with another role, and answers the file that it writes.
func startAgent(t *testing.T, e surface.Engine, role string) string {
	t.Helper()
	dir := t.TempDir()
	token, file, config := filepath.Join(dir, "token"), filepath.Join(dir, "api-key"), filepath.Join(dir, "agent.hcl")
	text := strings.NewReplacer("http://127.0.0.1:8200", e.Address(), "/run/secrets/vault-token", token,
		"/run/billing/api-key", file, "issue/service", "issue/"+role).Replace(read(t, "test/recipes/agent/agent.hcl"))
	for name, content := range map[string]string{token: e.Token, config: text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, e, dir, "agent", "-config="+config)
	return file
}

func waitForKey(t *testing.T, file, other string) (key string) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, "wait for the Agent to write a key", func() error {
		text, err := os.ReadFile(file)
		if key = string(text); err == nil && (key == "" || key == other) {
			err = fmt.Errorf("the file still holds the one before")
		}
		return err
	})
	return key
}
