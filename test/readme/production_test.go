package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

const (
	newer         = "v9.9.9"
	pluginsOfText = "/etc/vault.d/plugins"
	built         = "bin/" + harness.PluginName
)

// TestProductionCommandsRegisterAndUpgrade runs the chapter on a server that keeps its data on disk and has no plugin.
func TestProductionCommandsRegisterAndUpgrade(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	plugins, _ := s.Expect(t, 200, "GET", "sys/config/state/sanitized", nil).Data()["plugin_directory"].(string)
	if plugins == "" {
		t.Fatal("the server has no plugin directory")
	}
	_, blocks := document(t)
	var commands []*command
	var upgraded bool
	for _, b := range ofProduction.blocks(blocks) {
		b.text = strings.ReplaceAll(b.text, pluginsOfText, plugins)
		if b.title == "Upgrade" && !upgraded {
			upgraded = true
			commands = append(commands, ours("vault write apikeys/roles/web generate_lease=false"),
				ours("MINTED=$(vault write -force -field=key apikeys/issue/web)"))
		}
		if upgraded {
			b.text = strings.ReplaceAll(b.text, built, newerPlugin(t))
		}
		commands = append(commands, b.commands(t)...)
	}
	if !upgraded {
		t.Fatal("the chapter has no section Upgrade")
	}
	version, verified := commands[len(commands)-1], ours(`vault write -field=code apikeys/verify/web key="$MINTED"`)
	run(t, append(commands, verified), "VAULT_ADDR="+s.Address(), "VAULT_TOKEN="+s.Token)
	for _, c := range commands {
		c.check(t)
	}
	if version.output != newer {
		t.Errorf("after the upgrade the engine is %q, wanted %s", version.output, newer)
	}
	if verified.output != "valid" {
		t.Errorf("a key minted before the upgrade is %q after it", verified.output)
	}
}

// ours is a command that the README does not show.
func ours(text string) *command { return &command{block: &block{}, text: text} }

// newerPlugin builds the plugin as a later version.
func newerPlugin(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), harness.PluginName)
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-X vault-plugin-secrets-apikeys/backend/version.number="+newer, "-o", file, "./cmd/"+harness.PluginName)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0") // as make build does: most is compiled already
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}
