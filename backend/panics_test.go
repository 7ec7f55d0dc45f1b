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
)

// panicking breaks every storage call with a panic that shows what was asked.
func panicking(texts ...string) intercept {
	return func(context.Context, call, func()) error { panic("secret " + strings.Join(texts, " ")) }
}

func TestAPanicIsAnErrorWithAConstantText(t *testing.T) {
	w := buildWorld(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.open(t)
		id, text := w.ids["owned"], w.texts["owned"]
		m.storage.intercept(panicking(text))
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
				logged := len(m.log.String())
				a := m.do(op, path, data)
				if a.status != http.StatusInternalServerError || a.text != "internal error" {
					t.Errorf("%s %s: %d %q", op, path, a.status, a.text)
				}
				line := m.log.String()[logged:]
				if !strings.Contains(line, "a fault in the plugin ended") || strings.Contains(line, "secret") || strings.Contains(line, id) {
					t.Errorf("%s %s was logged as %q", op, path, line)
				}
			}
		}
		for _, a := range []answer{m.renew(w.leases["leased"], 0), m.endLease(w.leases["leased"])} {
			if a.status != http.StatusInternalServerError || a.text != "internal error" {
				t.Errorf("a lease: %d %q", a.status, a.text)
			}
		}
		// The mount goes on.
		m.storage.intercept(nil)
		if code := m.code(text); code != "valid" {
			t.Errorf("after the panics the key is %s", code)
		}
	})
}

func TestPanicsInHooksAndBackgroundWorkEndThatWorkOnly(t *testing.T) {
	w := buildWorld(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.open(t)
		text := w.texts["owned"]
		m.storage.intercept(panicking(text))
		m.must("tidy", nil)
		synctest.Wait()
		if a := m.read("tidy-status"); a.str("state") != "failed" || a.str("error") != "internal error" {
			t.Errorf("tidy: %v", a.data)
		}
		m.backend.InvalidateKey(t.Context(), "config")
		m.storage.intercept(nil)

		// A re-hash reads the configuration, which is cached, and then the
		// record, which it cannot.
		setCost(t, m.storage, keyhash.Params{MemoryKiB: 9, Iterations: 1, Parallelism: 1})
		m.backend.InvalidateKey(t.Context(), "config")
		m.read("config")
		m.storage.intercept(func(ctx context.Context, c call, effect func()) error {
			if c.method == "put" {
				panic(text)
			}
			effect()
			return nil
		})
		if code := m.code(text); code != "valid" {
			t.Errorf("verify: %s", code)
		}
		synctest.Wait()
		m.storage.intercept(nil)
		if log := m.log.String(); !strings.Contains(log, "background work ended by a fault in the plugin: work=re-hash") ||
			!strings.Contains(log, "background work ended by a fault in the plugin: work=tidy") ||
			!strings.Contains(log, "a fault in the plugin ended a hook: hook=invalidate") {
			t.Errorf("the log does not tell of all panics:\n%s", log)
		}
		// Both start again.
		if state := m.tidy(); state != "done" {
			t.Errorf("the next tidy: %s", state)
		}
		before := string(m.storage.dump()["key/"+w.ids["plain"][:2]+"/"+w.ids["plain"]])
		m.code(w.texts["plain"])
		time.Sleep(time.Second)
		if after := string(m.storage.dump()["key/"+w.ids["plain"][:2]+"/"+w.ids["plain"]]); after == before {
			t.Error("no re-hash happens any more")
		}
	})
}

// TestAHashThatPanickedIsOfferedAgain: what a re-hash lost to a panic must not
// be forgotten for as long as the process lives.
func TestAHashThatPanickedIsOfferedAgain(t *testing.T) {
	w := buildWorld(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.open(t)
		setCost(t, m.storage, keyhash.Params{MemoryKiB: 9, Iterations: 1, Parallelism: 1})
		m.backend.InvalidateKey(t.Context(), "config")
		m.storage.intercept(func(_ context.Context, c call, effect func()) error {
			if c.method == "put" {
				panic("once")
			}
			effect()
			return nil
		})
		path := "key/" + w.ids["owned"][:2] + "/" + w.ids["owned"]
		before := string(m.storage.dump()[path])
		m.code(w.texts["owned"])
		synctest.Wait()
		m.storage.intercept(nil)
		m.code(w.texts["owned"])
		time.Sleep(time.Second)
		if after := string(m.storage.dump()[path]); after == before {
			t.Error("the key is never re-hashed")
		}
	})
}
