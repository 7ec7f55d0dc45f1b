// Package readme holds README.md, paths/README.md, cmd/apikeys-gate/README.md and test/bench/README.md to what they say: it runs every command,
// compares samples with what comes back, the list of paths with what the engine says of itself, and the configuration
// files shown with those that are tested.
package readme

import (
	"os"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// root is the repository, in which readers run the commands.
const root = "../.."

var servers harness.Pool

func TestMain(m *testing.M) { os.Exit(servers.Run(m, harness.Options{Plugin: true})) }

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
