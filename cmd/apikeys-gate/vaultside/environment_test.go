package vaultside

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// TestWhatTheEnvironmentMustNotChange sets what Vault's client library reads by itself: a
// gate whose answers are wrapped, or whose calls are tried again, hears nothing.
func TestWhatTheEnvironmentMustNotChange(t *testing.T) {
	for name, value := range map[string]string{
		"VAULT_WRAP_TTL": "60s", "VAULT_MAX_RETRIES": "5", "VAULT_TOKEN": "other", "VAULT_NAMESPACE": "other", "VAULT_CLIENT_TIMEOUT": "1ms",
	} {
		t.Setenv(name, value)
	}
	s := newServer(t, status(503, "away"))
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	if _, err := v.Resolve(t.Context(), "web", wire.Ask{}); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("it is told %v", err)
	}
	all := s.all()
	if len(all) != 1 {
		t.Fatalf("it is asked %d times", len(all))
	}
	if h := all[0].header; h.Get("X-Vault-Wrap-TTL") != "" || h.Get("X-Vault-Namespace") != "" || h.Get("X-Vault-Token") != "t" {
		t.Errorf("it is asked with %v", h)
	}
}
