package backend_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestAKeyThatHasEndedIsNotDueForRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		for _, role := range []string{"web", "gone"} {
			m.must("roles/"+role, fields{"generate_lease": false, "rotation_period": 60, "ttl": 600, "max_delegation_depth": 1})
		}
		live, revoked, orphan := m.must("issue/web", nil), m.must("issue/web", nil), m.must("issue/gone", nil)
		parent := m.must("issue/web", nil)
		child := m.must("delegate", fields{"key": parent.str("key")})
		expired := m.must("issue/web", fields{"ttl": 30})
		m.must("revoke/"+revoked.str("key_id"), nil)
		m.must("revoke/"+parent.str("key_id"), nil)
		m.must("stop/roles/gone", nil)
		if a := m.do(logical.DeleteOperation, "roles/gone", nil); !a.ok() {
			t.Fatal(a.text)
		}
		m.must("roles/gone", fields{"generate_lease": false, "rotation_period": 60}) // another role of the name
		time.Sleep(90 * time.Second)
		list := m.do(logical.ListOperation, "keys/", nil).data["key_info"].(map[string]any)
		for name, k := range map[string]answer{"revoked": revoked, "of a role that is gone": orphan, "below a revoked one": child, "expired": expired} {
			id := k.str("key_id")
			line := list[id].(map[string]any)
			asked := m.must("verify", fields{"key": k.str("key")}).data
			if by := m.read("keys/" + id).str("rotate_by"); by != "" || line["rotate_by"] != "" || asked["rotation_due"] != false {
				t.Errorf("a key %s: rotate_by %q, in the list %v, rotation_due %v", name, by, line["rotate_by"], asked["rotation_due"])
			}
		}
		if by := m.read("keys/" + live.str("key_id")).str("rotate_by"); by == "" || m.must("verify", fields{"key": live.str("key")}).data["rotation_due"] != true {
			t.Error("a live key is not due")
		}
	})
}
