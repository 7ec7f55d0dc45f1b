package surface

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// KillPlugin kills the plugin's process and waits for Vault to start another.
func (e Engine) KillPlugin(t testing.TB) {
	t.Helper()
	e.Server.KillPlugin(t)
	e.AwaitPlugin(t)
}

// AwaitPlugin waits for the plugin's next process. A request that comes before Vault has noticed the death of the last
// one is answered with an error.
func (e Engine) AwaitPlugin(t testing.TB) {
	t.Helper()
	harness.Eventually(t, 30*time.Second, "wait for the plugin's next process", func() error {
		if r := e.Ask(t, http.MethodGet, "info", nil); r.Status != http.StatusOK {
			return fmt.Errorf("it answers %d", r.Status)
		}
		return nil
	})
}
