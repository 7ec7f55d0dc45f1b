package backend_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"
)

// TestASlowReadBringsNothingBack holds a verify in the middle of its read: it
// has the old entry in its hands while the entry is changed and the change is
// answered. What the verify then takes into the cache must not be the old one.
func TestASlowReadBringsNothingBack(t *testing.T) {
	w := buildWorld(t)
	id, text := w.ids["owned"], w.texts["owned"]
	keyEntry := "key/" + id[:2] + "/" + id
	for name, c := range map[string]struct {
		slow   string // the entry that is read slowly
		change func(m *mount)
		want   string
	}{
		"revoke":         {keyEntry, func(m *mount) { m.must("revoke/"+id, nil) }, "revoked"},
		"disable":        {keyEntry, func(m *mount) { m.must("keys/"+id, map[string]any{"disabled": true}) }, "disabled"},
		"delete":         {keyEntry, func(m *mount) { m.do(logical.DeleteOperation, "keys/"+id, nil) }, "invalid"},
		"rotate at once": {keyEntry, func(m *mount) { m.must("rotate/"+id, map[string]any{"grace_period": 0}) }, "superseded"},
		"disable a role": {"role/web", func(m *mount) { m.must("roles/web", map[string]any{"disabled": true}) }, "disabled"},
		"narrow a role":  {"role/web", func(m *mount) { m.must("roles/web", map[string]any{"bound_cidrs": "10.0.0.0/8"}) }, "ip_denied"},
		"a change on another node": {keyEntry, func(m *mount) {
			other := &mount{t: m.t, storage: m.storage, system: m.system, log: new(journal), secrets: m.secrets, ctx: m.ctx}
			other.open()
			other.must("revoke/"+id, nil)
			other.backend.Cleanup(m.ctx)
			m.backend.InvalidateKey(m.ctx, keyEntry)
		}, "revoked"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := w.open(t)
			release, held := make(chan struct{}), false
			m.storage.intercept(func(_ context.Context, asked call, effect func()) error {
				effect()
				if asked == (call{"get", c.slow}) && !held {
					held = true
					<-release
				}
				return nil
			})
			done := make(chan string)
			go func() { done <- m.code(text) }()
			synctest.Wait()
			if !held {
				t.Fatalf("%s: the verify read nothing", name)
			}
			c.change(m)
			close(release)
			<-done // it began before, so it may say either
			for range 2 {
				if code := m.code(text); code != c.want {
					t.Errorf("%s: %s, want %s", name, code, c.want)
				}
			}
		})
	}
}

// TestAVerifyGoesByTheRecordAfterItsHash: a hash takes long, and what was
// decided meanwhile counts.
func TestAVerifyGoesByTheRecordAfterItsHash(t *testing.T) {
	w := buildWorld(t)
	id, text := w.ids["owned"], w.texts["owned"]
	keyEntry := call{"get", "key/" + id[:2] + "/" + id}
	synctest.Test(t, func(t *testing.T) {
		m := w.open(t)
		// What is read before the hash is the record: hold the verify there.
		release, held := make(chan struct{}), false
		m.storage.intercept(func(_ context.Context, asked call, effect func()) error {
			effect()
			if asked == keyEntry && !held {
				held = true
				<-release
			}
			return nil
		})
		done := make(chan string)
		go func() { done <- m.code(text) }()
		synctest.Wait()
		m.must("revoke/"+id, nil)
		close(release)
		if code := <-done; code != "revoked" {
			t.Errorf("a verify that hashed after the revocation: %s", code)
		}
	})
}
