package backend_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// dies ends a mount's process without a word to the mount, and opens another.
func (m *mount) dies() {
	was := m.backend
	m.storage = m.storage.clone()
	m.process = nil
	m.open()
	m.t.Cleanup(func() { was.Cleanup(context.Background()) })
}

// TestTheEndOfAMountLosesNothingOfTheOthers: Vault ends the process of all mounts
// when it has cleaned up the first that it reloads.
func TestTheEndOfAMountLosesNothingOfTheOthers(t *testing.T) {
	for name, meanwhile := range map[string]time.Duration{"at once": 0, "in a second": time.Second, "much later": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			process := backend.Factory(keyhash.NewHasher(2))
			var mounts []*mount
			var keys []answer
			for range 3 {
				m := newMount(t)
				m.backend.Cleanup(t.Context())
				m.process = process
				m.open()
				m.flushRarely()
				m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "90h", "quota": 6400})
				k := m.must("issue/web", nil)
				m.code(k.str("key"))
				mounts, keys = append(mounts, m), append(keys, k)
			}
			time.Sleep(time.Minute)
			mounts[0].backend.Cleanup(t.Context())
			time.Sleep(meanwhile)
			for i, m := range mounts[1:] {
				k := keys[i+1]
				if meanwhile <= time.Second {
					m.code(k.str("key")) // between the end of one and the end of all
				}
				used := m.read("keys/" + k.str("key_id"))
				m.dies()
				got := m.read("keys/" + k.str("key_id"))
				for _, field := range []string{"last_used_at", "quota_remaining"} {
					if got.data[field] != used.data[field] {
						t.Errorf("%s: %s was %v and is %v", name, field, used.data[field], got.data[field])
					}
				}
			}
		})
	}
}

// TestAMountThatLivesOnIsAsItWas: it reserves blocks ahead, and keeps uses in
// memory, of which a crash may lose some: no key is idle for it.
func TestAMountThatLivesOnIsAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		process := backend.Factory(keyhash.NewHasher(2))
		first, m := newMount(t), newMount(t)
		for _, m := range []*mount{first, m} {
			m.backend.Cleanup(t.Context())
			m.process = process
			m.open()
		}
		m.flushRarely()
		m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "2h", "quota": 6400})
		k := m.must("issue/web", nil)
		outage := func(context.Context, call, func()) error { return errStorage }
		first.backend.Cleanup(t.Context())
		m.storage.intercept(outage)
		time.Sleep(time.Minute) // in which it cannot be written that a crash loses something again
		m.storage.intercept(nil)
		time.Sleep(119*time.Minute - time.Second)
		if m.code(k.str("key")); m.reserved(k.str("key_id")) < 100 {
			t.Errorf("%d are reserved, and one was spent", m.reserved(k.str("key_id")))
		}
		m.dies()
		time.Sleep(time.Minute)
		if code := m.code(k.str("key")); code != "valid" {
			t.Errorf("a key whose last use a crash lost is %s", code)
		}
	})
}
