package stored

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestANameThatCannotBeReadIsMended: it is an error until tidy has its key's record
// say where it leads, and never free, which would mint a second key.
func TestANameThatCannotBeReadIsMended(t *testing.T) {
	for _, value := range []string{"{", `{"v":2,"record":{}}`, `{"v":1,"record":{"key_id":"../role/web"}}`} {
		for _, lives := range []bool{true, false} {
			m := mount.New(t)
			m.Faulty = true
			m.Must("roles/web", map[string]any{"generate_lease": false})
			k := m.Must("static-keys/app", map[string]any{"role": "web"})
			damage(m, "static/", value)
			for _, a := range []mount.Answer{m.Read("static-keys/app"), m.Write("static-keys/app", map[string]any{"role": "web"}), m.Do(logical.DeleteOperation, "static-keys/app", nil)} {
				if a.Status != http.StatusInternalServerError {
					t.Errorf("%s: %d %v", value, a.Status, a.Data)
				}
			}
			if code := m.Code(k.Str("key")); code != "valid" {
				t.Errorf("%s: its key is %s", value, code)
			}
			if !lives {
				m.Must("revoke/"+k.Str("key_id"), nil)
			}
			if state := m.Tidy(); state != "done" || len(m.Problems()) > 0 {
				t.Errorf("%s: tidy is %s and leaves %v", value, state, m.Problems())
			}
			if a := m.Read("static-keys/app"); lives && a.Str("key_id") != k.Str("key_id") || !lives && a.Status != http.StatusNotFound {
				t.Errorf("%s: lives=%t, and it reads %d %v", value, lives, a.Status, a.Data)
			}
		}
	}
}
