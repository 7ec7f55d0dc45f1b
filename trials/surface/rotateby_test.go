package surface

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestAKeyThatHasEndedIsNotDueForRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		for _, role := range []string{"web", "gone"} {
			m.Must("roles/"+role, fields{"generate_lease": false, "rotation_period": 60, "ttl": 600, "max_delegation_depth": 1})
		}
		live, revoked, orphan := m.Must("issue/web", nil), m.Must("issue/web", nil), m.Must("issue/gone", nil)
		parent := m.Must("issue/web", nil)
		child := m.Must("delegate", fields{"key": parent.Str("key")})
		expired := m.Must("issue/web", fields{"ttl": 30})
		m.Must("revoke/"+revoked.Str("key_id"), nil)
		m.Must("revoke/"+parent.Str("key_id"), nil)
		m.Must("stop/roles/gone", nil)
		if a := m.Do(logical.DeleteOperation, "roles/gone", nil); !a.OK() {
			t.Fatal(a.Text)
		}
		m.Must("roles/gone", fields{"generate_lease": false, "rotation_period": 60}) // another role of the name
		time.Sleep(90 * time.Second)
		list := m.Do(logical.ListOperation, "keys/", nil).Data["key_info"].(map[string]any)
		for name, k := range map[string]mount.Answer{"revoked": revoked, "of a role that is gone": orphan, "below a revoked one": child, "expired": expired} {
			id := k.Str("key_id")
			line := list[id].(map[string]any)
			asked := m.Must("verify", fields{"key": k.Str("key")}).Data
			if by := m.Read("keys/" + id).Str("rotate_by"); by != "" || line["rotate_by"] != "" || asked["rotation_due"] != false {
				t.Errorf("a key %s: rotate_by %q, in the list %v, rotation_due %v", name, by, line["rotate_by"], asked["rotation_due"])
			}
		}
		if by := m.Read("keys/" + live.Str("key_id")).Str("rotate_by"); by == "" || m.Must("verify", fields{"key": live.Str("key")}).Data["rotation_due"] != true {
			t.Error("a live key is not due")
		}
	})
}
