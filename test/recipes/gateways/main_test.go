// Package gateways runs the files that users copy from this directory, with the gateways that they are written for, in
// front of a backend, and behind them a gate or a Vault Proxy.
package gateways

import (
	"flag"
	"os"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

type fields = surface.Fields

var servers harness.Pool

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8") // whatever the cores: they wait for each other's timeouts
	os.Exit(servers.Run(m, harness.Options{Plugin: true, LogLevel: "info"}))
}

// recipe is a file with other addresses and paths in it. Each of them must stand there.
func recipe(t testing.TB, file string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(changed, changes[i]) {
			t.Fatalf("%s has no %s", file, changes[i])
		}
		changed = strings.ReplaceAll(changed, changes[i], changes[i+1])
	}
	return changed
}

func write(t testing.TB, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
