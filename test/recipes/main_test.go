// Package recipes runs the files that users copy from its directories, with the programs that they are written for.
package recipes

import (
	"flag"
	"os"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

type fields = surface.Fields

var servers harness.Pool

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "4") // whatever the cores: they wait for an Agent's or Terraform's next step
	os.Exit(servers.Run(m, harness.Options{Plugin: true}))
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
