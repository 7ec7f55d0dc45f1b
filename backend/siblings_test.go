package backend_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// dies ends a mount's process without a word to the mount, and opens another.
func dies(m *mount.Mount) {
	was := m.Backend
	m.Storage = m.Storage.Clone()
	m.Process = nil
	m.Open()
	m.T.Cleanup(func() { was.Cleanup(context.Background()) })
}

// TestTheEndOfAMountLosesNothingOfTheOthers: Vault ends the process of all mounts
// when it has cleaned up the first that it reloads.
func TestTheEndOfAMountLosesNothingOfTheOthers(t *testing.T) {
	for name, meanwhile := range map[string]time.Duration{"at once": 0, "in a second": time.Second, "much later": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			process := backend.Factory(keyhash.NewHasher(2))
			var mounts []*mount.Mount
			var keys []mount.Answer
			for range 3 {
				m := mount.New(t)
				m.Backend.Cleanup(t.Context())
				m.Process = process
				m.Open()
				m.FlushRarely()
				m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "90h", "quota": 6400})
				k := m.Must("issue/web", nil)
				m.Code(k.Str("key"))
				mounts, keys = append(mounts, m), append(keys, k)
			}
			time.Sleep(time.Minute)
			mounts[0].Backend.Cleanup(t.Context())
			time.Sleep(meanwhile)
			for i, m := range mounts[1:] {
				k := keys[i+1]
				if meanwhile <= time.Second {
					m.Code(k.Str("key")) // between the end of one and the end of all
				}
				used := m.Read("keys/" + k.Str("key_id"))
				dies(m)
				got := m.Read("keys/" + k.Str("key_id"))
				for _, field := range []string{"last_used_at", "quota_remaining"} {
					if got.Data[field] != used.Data[field] {
						t.Errorf("%s: %s was %v and is %v", name, field, used.Data[field], got.Data[field])
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
		first, m := mount.New(t), mount.New(t)
		for _, m := range []*mount.Mount{first, m} {
			m.Backend.Cleanup(t.Context())
			m.Process = process
			m.Open()
		}
		m.FlushRarely()
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "2h", "quota": 6400})
		k := m.Must("issue/web", nil)
		outage := func(context.Context, memory.Call, func()) error { return memory.ErrStorage }
		first.Backend.Cleanup(t.Context())
		m.Storage.Intercept(outage)
		time.Sleep(time.Minute) // in which it cannot be written that a crash loses something again
		m.Storage.Intercept(nil)
		time.Sleep(119*time.Minute - time.Second)
		if m.Code(k.Str("key")); m.Reserved(k.Str("key_id")) < 100 {
			t.Errorf("%d are reserved, and one was spent", m.Reserved(k.Str("key_id")))
		}
		dies(m)
		time.Sleep(time.Minute)
		if code := m.Code(k.Str("key")); code != "valid" {
			t.Errorf("a key whose last use a crash lost is %s", code)
		}
	})
}
