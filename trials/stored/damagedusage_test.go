package stored

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestADamagedFlushIsNoTroubleForEver to keys that end by an idle timeout: until tidy
// has passed nobody knows whether they were used, and then they count as used.
func TestADamagedFlushIsNoTroubleForEver(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "idle_timeout": "24h"})
	k := m.Must("issue/web", map[string]any{"owner": "acme"})
	if code := m.Code(k.Str("key")); code != "valid" {
		t.Fatal(code)
	}
	m.Restart()
	for _, path := range m.Storage.Paths() {
		if strings.HasPrefix(path, "usage/delta/") {
			m.Storage.Plant(path, "{")
		}
	}
	m.Restart()
	if a := m.Write("verify", map[string]any{"key": k.Str("key")}); a.Status != 500 {
		t.Errorf("where nobody knows whether it was used: %d", a.Status)
	}
	m.Tidy()
	if code := m.Code(k.Str("key")); code != "valid" {
		t.Errorf("after tidy it is %s", code)
	}
	for _, path := range []string{"keys/" + k.Str("key_id"), "usage", "usage/owners/acme"} {
		if a := m.Read(path); !a.OK() {
			t.Errorf("%s: %d %s", path, a.Status, a.Text)
		}
	}
	if log := m.Log.String(); !strings.Contains(log, "counts of damaged entries are lost") {
		t.Error("the log does not say what is lost")
	}
}
