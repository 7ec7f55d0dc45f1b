package readme

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestConfigurationShownIsThatOfTheRecipes wants each block to be one of the files, or a part of one of several for
// Terraform, and each file to be shown or, of those for Terraform, named.
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
			recipes[path] = string(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range shown {
		if !slices.ContainsFunc(slices.Sorted(maps.Keys(recipes)), func(path string) bool {
			return recipes[path] == block || filepath.Ext(path) == ".tf" && strings.Contains(recipes[path], block)
		}) {
			t.Errorf("no recipe is this block:\n%s", block)
		}
	}
	for path, text := range recipes {
		named := filepath.Ext(path) == ".tf" && strings.Contains(read(t, readme), "| `"+filepath.Base(path)+"` |")
		if !named && !slices.Contains(shown, text) {
			t.Errorf("no file shows %s as it is", path)
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
