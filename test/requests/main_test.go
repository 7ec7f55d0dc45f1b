// Package requests holds the engine to its rules for every path: what it takes, what it refuses and how, and what it
// never says. All of it through the plugin's own process, because statuses and texts cross it.
package requests

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

type fields = surface.Fields

var servers harness.Pool

func TestMain(m *testing.M) { os.Exit(servers.Run(m, harness.Options{Plugin: true, Audit: true})) }

func mounted(t *testing.T) surface.Engine {
	t.Helper()
	return surface.New(t, servers.Server(t))
}

// wantRefused sends a write that must be refused with this status and a text with these words.
func wantRefused(t *testing.T, e surface.Engine, status int, path string, body any, words ...string) {
	t.Helper()
	r := e.Ask(t, http.MethodPost, path, body)
	if r.Status != status {
		t.Errorf("POST %s %v: %d, wanted %d: %s", path, body, r.Status, status, shown(r))
		return
	}
	for _, word := range words {
		if !strings.Contains(r.Errors(), word) {
			t.Errorf("POST %s %v: the error is %q and lacks %q", path, body, r.Errors(), word)
		}
	}
}

// shown is the beginning of an answer.
func shown(r harness.Response) string { return fmt.Sprintf("%.300s", r.Raw) }

// patience bounds waits for what the server does by itself.
const patience = 30 * time.Second

func valid(t *testing.T, e surface.Engine, k surface.Key) error {
	t.Helper()
	r := e.Ask(t, http.MethodPost, "verify", fields{"key": k.Text})
	if r.Data()["code"] != "valid" {
		return fmt.Errorf("verify answers %d: %s", r.Status, shown(r))
	}
	return nil
}
