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
	if v := b.(logical.PluginVersioner).PluginVersion().Version; v != backend.Version() {
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

	storage := newMemory()
	storage.intercept(func(_ context.Context, c call, _ func()) error { t.Errorf("the factory called %v", c); return nil })
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
	w := buildWorld(t)
	for _, tr := range append(mintTrials(), changeTrials()...) {
		synctest.Test(t, func(t *testing.T) {
			active := w.open(t)
			standby := &mount{t: t, storage: active.storage, system: active.system, log: new(journal), ctx: t.Context()}
			standby.open()
			defer standby.backend.Cleanup(t.Context())
			w.observe(standby)
			before := active.storage.dump()
			if a := tr.run(active, w); !a.ok() {
				t.Fatalf("%s: %d %s", tr.name, a.status, a.text)
			}
			after := active.storage.dump()
			for path := range before {
				if !bytes.Equal(before[path], after[path]) {
					standby.backend.InvalidateKey(t.Context(), path)
				}
			}
			for path := range after {
				if before[path] == nil {
					standby.backend.InvalidateKey(t.Context(), path)
				}
			}
			coherent(t, w, standby)
			if t.Failed() {
				t.Log(tr.name)
			}
		})
	}
}

// TestInvalidationOfWhatIsNotKnownForgetsEverything: a later version of the
// plugin may have written it.
func TestInvalidationOfWhatIsNotKnownForgetsEverything(t *testing.T) {
	for _, path := range []string{"tag-key", "config", "from-the-future", "from/the/future", ""} {
		m := newMount(t)
		m.faulty = true // it ends with another tag key
		m.must("roles/web", map[string]any{"generate_lease": false})
		k := m.must("issue/web", nil)
		if code := m.code(k.str("key")); code != "valid" {
			t.Fatal(code)
		}
		other := newMount(t)
		m.storage.entries["tag-key"] = other.storage.dump()["tag-key"]
		delete(m.storage.entries, "key/"+k.str("key_id")[:2]+"/"+k.str("key_id"))
		m.backend.InvalidateKey(t.Context(), path)
		if code := m.code(k.str("key")); code != "invalid" {
			t.Errorf("after the invalidation of %q: %s", path, code)
		}
		if a := m.read("keys/" + k.str("key_id")); a.status != 404 {
			t.Errorf("after the invalidation of %q the removed key is read: %d", path, a.status)
		}
	}
}

// TestCleanEndsBackgroundWork: storage that hangs must not hold up an unmount
// for more than two seconds, and nothing may be left running after it.
func TestCleanEndsBackgroundWork(t *testing.T) {
	w := buildWorld(t)
	hang := func(ctx context.Context, c call, effect func()) error { time.Sleep(time.Minute); return errStorage }
	for name, begin := range map[string]func(*mount){
		"tidy": func(m *mount) {
			m.read("tidy-status")
			m.storage.intercept(hang)
			m.must("tidy", nil)
		},
		"a re-hash": func(m *mount) {
			setCost(m.t, m.storage, keyhash.Params{MemoryKiB: 9, Iterations: 1, Parallelism: 1})
			m.restart()
			m.storage.intercept(func(ctx context.Context, c call, effect func()) error {
				if c.method == "put" {
					return hang(ctx, c, effect)
				}
				effect()
				return nil
			})
			m.code(w.texts["owned"])
		},
	} {
		// The bubble itself fails when a goroutine is left at its end.
		synctest.Test(t, func(t *testing.T) {
			m := w.open(t)
			begin(m)
			synctest.Wait()
			start := time.Now()
			m.backend.Cleanup(t.Context())
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("Clean waited %v for %s", took, name)
			}
			m.storage.intercept(nil)
			if a := m.must("tidy", nil); a.str("state") == "running" && name != "tidy" {
				t.Error("tidy starts after Clean")
			}
			time.Sleep(2 * time.Minute)
			if state := m.read("tidy-status").str("state"); state == "running" {
				t.Errorf("after Clean tidy is %s", state)
			}
		})
	}
}

func TestMountsLeaveNoGoroutines(t *testing.T) {
	use := func() {
		m := newMount(t)
		m.must("roles/web", map[string]any{"generate_lease": false})
		m.code(m.must("issue/web", nil).str("key"))
		m.tidy()
		m.backend.Cleanup(t.Context())
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
