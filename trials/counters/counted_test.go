package counters

import (
	"reflect"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// Each answered decision counts, by whatever path, and what was answered with an error does not.
func TestWhatCounts(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "max_delegation_depth": 1})
	m.Must("roles/strict", map[string]any{"generate_lease": false, "require_scopes": true})
	parent := m.Must("issue/web", map[string]any{"owner": "acme"})
	child := m.Must("delegate", map[string]any{"key": parent.Str("key")})
	strict := m.Must("issue/strict", map[string]any{"owner": "strict"})
	m.Must("rotate", map[string]any{"key": parent.Str("key")})

	one := map[string]any{"key": child.Str("key"), "client_ip": "10.1.2.3"}
	m.Must("verify", map[string]any{"batch_input": []any{one, map[string]any{"key": "none"}, map[string]any{"kez": 1}, 7}})
	m.Must("authorize", one)
	m.Write("authorize", map[string]any{"key": child.Str("key"), "scopes": []string{"other"}, "client_ip": "2001:db8::7"})
	m.Do(logical.ReadOperation, "authorize", nil) // no key is invalid
	for path, status := range map[string]int{"verify": 400, "verify/strict": 400} {
		if a := m.Write(path, map[string]any{"key": strict.Str("key")}); a.Status != status {
			t.Errorf("%s answers %d", path, a.Status)
		}
	}
	for path, want := range map[string]map[string]any{
		"usage":                              {"valid": 2.0, "invalid": 2.0, "insufficient_scope": 1.0},
		"usage/owners/acme":                  {"valid": 2.0, "insufficient_scope": 1.0},
		"usage/owners/strict":                {},
		"usage/keys/" + child.Str("key_id"):  {"valid": 2.0, "insufficient_scope": 1.0},
		"usage/keys/" + parent.Str("key_id"): {},
		"usage/keys/" + strict.Str("key_id"): {},
	} {
		if got := m.Read(path).Data["by_code"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s has %v, wanted %v", path, got, want)
		}
	}
	of := m.Read("usage/keys/" + child.Str("key_id"))
	versions := of.Data["versions"].(map[string]any)
	if of.Str("last_client_ip") != "10.1.2.3" || len(versions) != 1 || versions["1"] != of.Str("last_used_at") {
		t.Errorf("of the child it tells %v", of.Data)
	}
	// Through its child the parent was used, by no version of its own.
	above := m.Read("usage/keys/" + parent.Str("key_id"))
	if above.Str("last_used_at") == "" || !reflect.DeepEqual(above.Data["versions"], map[string]any{"1": "", "2": ""}) {
		t.Errorf("of the parent it tells %v", above.Data)
	}
}
