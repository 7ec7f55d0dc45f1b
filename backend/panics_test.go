package backend_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// panicking breaks every storage call with a panic that shows what was asked.
func panicking(texts ...string) memory.Intercept {
	return func(context.Context, memory.Call, func()) error { panic("secret " + strings.Join(texts, " ")) }
}

func TestAPanicIsAnErrorWithAConstantText(t *testing.T) {
	w := world.Build(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.Open(t)
		id, text := w.IDs["owned"], w.Texts["owned"]
		m.Storage.Intercept(panicking(text))
		for op, paths := range map[logical.Operation][]string{
			logical.UpdateOperation: {"verify", "rotate", "revoke", "issue/web", "rotate/" + id, "revoke/" + id, "keys/" + id, "roles/new", "config"},
			logical.ReadOperation:   {"keys/" + id, "roles/brief", "owners/acme/keys/" + id},
			logical.ListOperation:   {"keys/", "roles/", "owners/", "owners/acme/keys/"},
			logical.DeleteOperation: {"keys/" + id, "roles/unused"},
		} {
			for _, path := range paths {
				data := map[string]any{}
				switch path {
				case "verify", "rotate", "revoke":
					data["key"] = text
				case "config":
					data["default_prefix"] = "x"
				}
				logged := len(m.Log.String())
				a := m.Do(op, path, data)
				if a.Status != http.StatusInternalServerError || a.Text != "internal error" {
					t.Errorf("%s %s: %d %q", op, path, a.Status, a.Text)
				}
				line := m.Log.String()[logged:]
				if !strings.Contains(line, "a fault in the plugin ended") || strings.Contains(line, "secret") || strings.Contains(line, id) {
					t.Errorf("%s %s was logged as %q", op, path, line)
				}
			}
		}
		for _, a := range []mount.Answer{m.Renew(w.Leases["leased"], 0), m.EndLease(w.Leases["leased"])} {
			if a.Status != http.StatusInternalServerError || a.Text != "internal error" {
				t.Errorf("a lease: %d %q", a.Status, a.Text)
			}
		}
		// The mount goes on.
		m.Storage.Intercept(nil)
		if code := m.Code(text); code != "valid" {
			t.Errorf("after the panics the key is %s", code)
		}
	})
}

func TestPanicsInHooksAndBackgroundWorkEndThatWorkOnly(t *testing.T) {
	w := world.Build(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.Open(t)
		text := w.Texts["owned"]
		m.Storage.Intercept(panicking(text))
		m.Must("tidy", nil)
		synctest.Wait()
		if a := m.Read("tidy-status"); a.Str("state") != "failed" || a.Str("error") != "internal error" {
			t.Errorf("tidy: %v", a.Data)
		}
		m.Backend.InvalidateKey(t.Context(), "config")
		m.Storage.Intercept(nil)

		// A re-hash reads the configuration, which is cached, and then the
		// record, which it cannot.
		mount.SetCost(t, m.Storage, keyhash.Params{MemoryKiB: 9, Iterations: 1, Parallelism: 1})
		m.Backend.InvalidateKey(t.Context(), "config")
		m.Read("config")
		m.Storage.Intercept(func(ctx context.Context, c memory.Call, effect func()) error {
			if c.Method == "put" {
				panic(text)
			}
			effect()
			return nil
		})
		if code := m.Code(text); code != "valid" {
			t.Errorf("verify: %s", code)
		}
		synctest.Wait()
		m.Storage.Intercept(nil)
		if log := m.Log.String(); !strings.Contains(log, "background work ended by a fault in the plugin: work=re-hash") ||
			!strings.Contains(log, "background work ended by a fault in the plugin: work=tidy") ||
			!strings.Contains(log, "a fault in the plugin ended a hook: hook=invalidate") {
			t.Errorf("the log does not tell of all panics:\n%s", log)
		}
		// Both start again.
		if state := m.Tidy(); state != "done" {
			t.Errorf("the next tidy: %s", state)
		}
		before := string(m.Storage.Dump()["key/"+w.IDs["plain"][:2]+"/"+w.IDs["plain"]])
		m.Code(w.Texts["plain"])
		time.Sleep(time.Second)
		if after := string(m.Storage.Dump()["key/"+w.IDs["plain"][:2]+"/"+w.IDs["plain"]]); after == before {
			t.Error("no re-hash happens any more")
		}
	})
}

// TestAHashThatPanickedIsOfferedAgain: what a re-hash lost to a panic must not
// be forgotten for as long as the process lives.
func TestAHashThatPanickedIsOfferedAgain(t *testing.T) {
	w := world.Build(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.Open(t)
		mount.SetCost(t, m.Storage, keyhash.Params{MemoryKiB: 9, Iterations: 1, Parallelism: 1})
		m.Backend.InvalidateKey(t.Context(), "config")
		m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
			if c.Method == "put" {
				panic("once")
			}
			effect()
			return nil
		})
		path := "key/" + w.IDs["owned"][:2] + "/" + w.IDs["owned"]
		before := string(m.Storage.Dump()[path])
		m.Code(w.Texts["owned"])
		synctest.Wait()
		m.Storage.Intercept(nil)
		m.Code(w.Texts["owned"])
		time.Sleep(time.Second)
		if after := string(m.Storage.Dump()[path]); after == before {
			t.Error("the key is never re-hashed")
		}
	})
}
