// Package access holds the engine to what each token may do: the policies that the README shows against every path
// and method, the paths that need sudo, requests without a token, and one tenant against another.
package access

import (
	"os"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

type fields = surface.Fields

var servers harness.Pool

func TestMain(m *testing.M) { os.Exit(servers.Run(m, harness.Options{Plugin: true})) }

// mounted is a mount at the path that the policies name.
func mounted(t *testing.T) surface.Engine {
	t.Helper()
	return surface.At(t, servers.Server(t), "apikeys")
}

// recipe is a policy as the README shows it.
func recipe(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../recipes/policies/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
