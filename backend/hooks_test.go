package backend_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/version"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// TestTheFactoryNeedsNothing is registration: Vault runs the binary and calls
// Setup with an empty configuration, to learn the version.
func TestTheFactoryNeedsNothing(t *testing.T) {
	factory := backend.Factory(keyhash.NewHasher(1))
	if _, err := factory(t.Context(), nil); err == nil {
		t.Error("no configuration at all was accepted")
	}
	b, err := factory(t.Context(), &logical.BackendConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if b.Type() != logical.TypeLogical {
		t.Errorf("type %v", b.Type())
	}
	if v := b.(logical.PluginVersioner).PluginVersion().Version; v != version.Number() {
		t.Errorf("version %q", v)
	}
	special := b.SpecialPaths()
	if len(special.Unauthenticated) != 0 || len(special.Root) == 0 || len(special.SealWrapStorage) != 2 {
		t.Errorf("special paths: %+v", special)
	}
	for _, root := range special.Root {
		if bytes.Contains([]byte(root), []byte("+")) {
			t.Errorf("root path %q holds a '+', which is a letter there", root)
		}
	}
	b.Cleanup(t.Context())

	storage := memory.New()
	storage.Intercept(func(_ context.Context, c memory.Call, _ func()) error {
		t.Errorf("the factory called %v", c)
		return nil
	})
	if b, err = factory(t.Context(), logicalConfig(storage)); err != nil {
		t.Fatal(err)
	}
	b.Cleanup(t.Context())
}

func logicalConfig(storage logical.Storage) *logical.BackendConfig {
	config := logical.TestBackendConfig()
	config.StorageView = storage
	return config
}

// TestInvalidationReachesEveryKindOfEntry changes things on one node and passes
// the changed entries on to another, which then must say what a node says that
// has just started.
func TestInvalidationReachesEveryKindOfEntry(t *testing.T) {
	w := world.Build(t)
	for _, tr := range append(world.Mints(), world.Changes()...) {
		synctest.Test(t, func(t *testing.T) {
			active := w.Open(t)
			standby := &mount.Mount{T: t, Storage: active.Storage, System: active.System, Log: new(mount.Journal), Ctx: t.Context()}
			standby.Open()
			defer standby.Backend.Cleanup(t.Context())
			w.Observe(standby)
			before := active.Storage.Dump()
			if a := tr.Run(active, w); !a.OK() {
				t.Fatalf("%s: %d %s", tr.Name, a.Status, a.Text)
			}
			after := active.Storage.Dump()
			for path := range before {
				if !bytes.Equal(before[path], after[path]) {
					standby.Backend.InvalidateKey(t.Context(), path)
				}
			}
			for path := range after {
				if before[path] == nil {
					standby.Backend.InvalidateKey(t.Context(), path)
				}
			}
			world.Coherent(t, w, standby)
			if t.Failed() {
				t.Log(tr.Name)
			}
		})
	}
}

// TestInvalidationOfWhatIsNotKnownForgetsEverything: a later version of the
// plugin may have written it.
func TestInvalidationOfWhatIsNotKnownForgetsEverything(t *testing.T) {
	for _, path := range []string{"tag-key", "config", "from-the-future", "from/the/future", ""} {
		m := mount.New(t)
		m.Faulty = true // it ends with another tag key
		m.Must("roles/web", map[string]any{"generate_lease": false})
		k := m.Must("issue/web", nil)
		if code := m.Code(k.Str("key")); code != "valid" {
			t.Fatal(code)
		}
		other := mount.New(t)
		m.Storage.Plant("tag-key", other.Storage.Holds("tag-key"))
		m.Storage.Lose("key/" + k.Str("key_id")[:2] + "/" + k.Str("key_id"))
		m.Backend.InvalidateKey(t.Context(), path)
		if code := m.Code(k.Str("key")); code != "invalid" {
			t.Errorf("after the invalidation of %q: %s", path, code)
		}
		if a := m.Read("keys/" + k.Str("key_id")); a.Status != 404 {
			t.Errorf("after the invalidation of %q the removed key is read: %d", path, a.Status)
		}
	}
}

// TestCleanEndsBackgroundWork: storage that hangs must not hold up an unmount
// for more than two seconds, and nothing may be left running after it.
func TestCleanEndsBackgroundWork(t *testing.T) {
	w := world.Build(t)
	hang := func(ctx context.Context, c memory.Call, effect func()) error {
		time.Sleep(time.Minute)
		return memory.ErrStorage
	}
	for name, begin := range map[string]func(*mount.Mount){
		"tidy": func(m *mount.Mount) {
			m.Read("tidy-status")
			m.Storage.Intercept(hang)
			m.Must("tidy", nil)
		},
		"a re-hash": func(m *mount.Mount) {
			mount.SetCost(m.T, m.Storage, keyhash.Params{MemoryKiB: 9, Iterations: 1, Parallelism: 1})
			m.Restart()
			m.Storage.Intercept(func(ctx context.Context, c memory.Call, effect func()) error {
				if c.Method == "put" {
					return hang(ctx, c, effect)
				}
				effect()
				return nil
			})
			m.Code(w.Texts["owned"])
		},
	} {
		// The bubble itself fails when a goroutine is left at its end.
		synctest.Test(t, func(t *testing.T) {
			m := w.Open(t)
			begin(m)
			synctest.Wait()
			start := time.Now()
			m.Backend.Cleanup(t.Context())
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("Clean waited %v for %s", took, name)
			}
			m.Storage.Intercept(nil)
			if a := m.Must("tidy", nil); a.Str("state") == "running" && name != "tidy" {
				t.Error("tidy starts after Clean")
			}
			time.Sleep(2 * time.Minute)
			if state := m.Read("tidy-status").Str("state"); state == "running" {
				t.Errorf("after Clean tidy is %s", state)
			}
		})
	}
}

func TestMountsLeaveNoGoroutines(t *testing.T) {
	use := func() {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false})
		m.Code(m.Must("issue/web", nil).Str("key"))
		m.Tidy()
		m.Backend.Cleanup(t.Context())
	}
	use()
	before := runtime.NumGoroutine()
	for range 30 {
		use()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, and %d before", runtime.NumGoroutine(), before)
}
