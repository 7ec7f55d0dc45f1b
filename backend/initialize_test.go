package backend_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestALostTagKeyIsTroubleAndIsNeverMadeAnew(t *testing.T) {
	for name, damage := range map[string]func(*memory.Storage){
		"missing":   func(s *memory.Storage) { s.Lose("tag-key") },
		"unknown v": func(s *memory.Storage) { s.Plant("tag-key", strings.Replace(s.Holds("tag-key"), `"v":1`, `"v":2`, 1)) },
		"damaged":   func(s *memory.Storage) { s.Plant("tag-key", "{") },
		"too short": func(s *memory.Storage) { s.Plant("tag-key", `{"v":1,"record":{"secret":"AAAA"}}`) },
	} {
		// Within one moment: what is written down with the time does not change.
		synctest.Test(t, func(t *testing.T) {
			m := mount.New(t)
			m.Faulty = true
			m.Must("roles/web", map[string]any{"generate_lease": false})
			k := m.Must("issue/web", nil)
			damage(m.Storage)
			left := m.Storage.Dump()
			m.Restart()
			m.Periodic()
			for _, a := range []mount.Answer{
				m.Write("verify", map[string]any{"key": k.Str("key")}),
				m.Write("rotate", map[string]any{"key": k.Str("key")}),
				m.Write("revoke", map[string]any{"key": k.Str("key")}),
				m.Write("rotate/"+k.Str("key_id"), nil),
				m.Write("issue/web", nil),
			} {
				if a.Status != http.StatusInternalServerError || a.Text != "internal error" {
					t.Errorf("%s: %d %q %v", name, a.Status, a.Text, a.Data)
				}
			}
			if !m.Storage.SameAs(left) {
				t.Errorf("%s: the storage changed", name)
			}
			// What needs no tag key goes on.
			m.Must("revoke/"+k.Str("key_id"), nil)
		})
	}
}

func TestOnAStandbyNothingIsWritten(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false})
	k := m.Must("issue/web", map[string]any{"owner": "acme"})
	m.System.Become(consts.ReplicationPerformanceStandby)
	m.Restart()
	before := m.Storage.Dump()
	m.Periodic()
	for _, path := range []string{"issue/web", "rotate/" + k.Str("key_id"), "revoke/" + k.Str("key_id"), "keys/" + k.Str("key_id"), "roles/web", "config", "tidy"} {
		if a := m.Write(path, nil); a.Text != logical.ErrReadOnly.Error() {
			t.Errorf("%s: %d %q is not passed on to the active node", path, a.Status, a.Text)
		}
	}
	if a := m.Must("verify", map[string]any{"key": k.Str("key")}); a.Data["valid"] != true {
		t.Errorf("a standby does not verify: %v", a.Data)
	}
	if !m.Storage.SameAs(before) {
		t.Error("the storage changed")
	}

	empty := memory.New()
	standby := &mount.Mount{T: t, Storage: empty, System: m.System, Log: new(mount.Journal), Ctx: context.Background()}
	standby.Open()
	standby.Periodic()
	defer standby.Backend.Cleanup(t.Context())
	if left := empty.Dump(); len(left) != 0 {
		t.Errorf("a standby wrote %d entries", len(left))
	}
}
