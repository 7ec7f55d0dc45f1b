package gate_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestAGateIsToldOfARevocation(t *testing.T) {
	t.Parallel()
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false})
	id := m.Must("issue/web", nil).Str("key_id")
	g := gate.Of(m, "edge-1")
	m.Must("revoke/"+id, nil)
	g.Hears("key:" + id)
	g.Hears()
}
