// Package gate has the engine tell gates what they ask, and gates answer, in a real Vault.
package gate

import (
	"flag"
	"os"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

type fields = surface.Fields

var servers harness.Pool

// TestMain lets many of the tests run at once: they mostly wait, for gates to close and for leaders to be elected.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(servers.Run(m, harness.Options{Plugin: true}))
}

// mounted is a mount at the path that the policies name.
func mounted(t *testing.T) surface.Engine {
	t.Helper()
	return surface.At(t, servers.Server(t), "apikeys")
}
