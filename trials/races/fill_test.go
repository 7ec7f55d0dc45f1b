package races

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// TestASlowReadBringsNothingBack holds a verify in the middle of its read: it
// has the old entry in its hands while the entry is changed and the change is
// answered. What the verify then takes into the cache must not be the old one.
func TestASlowReadBringsNothingBack(t *testing.T) {
	w := world.Build(t)
	id, text := w.IDs["owned"], w.Texts["owned"]
	keyEntry := "key/" + id[:2] + "/" + id
	for name, c := range map[string]struct {
		slow   string // the entry that is read slowly
		change func(m *mount.Mount)
		want   string
	}{
		"revoke":         {keyEntry, func(m *mount.Mount) { m.Must("revoke/"+id, nil) }, "revoked"},
		"disable":        {keyEntry, func(m *mount.Mount) { m.Must("keys/"+id, map[string]any{"disabled": true}) }, "disabled"},
		"delete":         {keyEntry, func(m *mount.Mount) { m.Do(logical.DeleteOperation, "keys/"+id, nil) }, "invalid"},
		"rotate at once": {keyEntry, func(m *mount.Mount) { m.Must("rotate/"+id, map[string]any{"grace_period": 0}) }, "superseded"},
		"disable a role": {"role/web", func(m *mount.Mount) { m.Must("roles/web", map[string]any{"disabled": true}) }, "disabled"},
		"narrow a role":  {"role/web", func(m *mount.Mount) { m.Must("roles/web", map[string]any{"bound_cidrs": "10.0.0.0/8"}) }, "ip_denied"},
		"a change on another node": {keyEntry, func(m *mount.Mount) {
			other := &mount.Mount{T: m.T, Storage: m.Storage, System: m.System, Log: new(mount.Journal), Secrets: m.Secrets, Ctx: m.Ctx}
			other.Open()
			other.Must("revoke/"+id, nil)
			other.Backend.Cleanup(m.Ctx)
			m.Backend.InvalidateKey(m.Ctx, keyEntry)
		}, "revoked"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := w.Open(t)
			release, held := make(chan struct{}), false
			m.Storage.Intercept(func(_ context.Context, asked memory.Call, effect func()) error {
				effect()
				if asked == (memory.Call{Method: "get", Path: c.slow}) && !held {
					held = true
					<-release
				}
				return nil
			})
			done := make(chan string)
			go func() { done <- m.Code(text) }()
			synctest.Wait()
			if !held {
				t.Fatalf("%s: the verify read nothing", name)
			}
			c.change(m)
			close(release)
			<-done // it began before, so it may say either
			for range 2 {
				if code := m.Code(text); code != c.want {
					t.Errorf("%s: %s, want %s", name, code, c.want)
				}
			}
		})
	}
}

// TestAVerifyGoesByTheRecordAfterItsHash: a hash takes long, and what was
// decided meanwhile counts.
func TestAVerifyGoesByTheRecordAfterItsHash(t *testing.T) {
	w := world.Build(t)
	id, text := w.IDs["owned"], w.Texts["owned"]
	keyEntry := memory.Call{Method: "get", Path: "key/" + id[:2] + "/" + id}
	synctest.Test(t, func(t *testing.T) {
		m := w.Open(t)
		// What is read before the hash is the record: hold the verify there.
		release, held := make(chan struct{}), false
		m.Storage.Intercept(func(_ context.Context, asked memory.Call, effect func()) error {
			effect()
			if asked == keyEntry && !held {
				held = true
				<-release
			}
			return nil
		})
		done := make(chan string)
		go func() { done <- m.Code(text) }()
		synctest.Wait()
		m.Must("revoke/"+id, nil)
		close(release)
		if code := <-done; code != "revoked" {
			t.Errorf("a verify that hashed after the revocation: %s", code)
		}
	})
}
