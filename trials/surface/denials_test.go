// Package surface tries what a caller meets: answers, refusals, and who may say what.
package surface

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// unproven are texts that are no proven key, by why not.
func unproven(m *mount.Mount, w *world.World) map[string]string {
	live := w.Texts["owned"]
	flipped := func(at int) string {
		c := "0"
		if live[at:at+1] == c {
			c = "1"
		}
		return live[:at] + c + live[at+1:]
	}
	return map[string]string{
		"no key":                      "x",
		"too long":                    strings.Repeat("a", 10_000),
		"a space before":              " " + live,
		"a newline after":             live + "\n",
		"a NUL":                       live[:10] + "\x00" + live[11:],
		"other letters":               strings.ToUpper(live),
		"a wrong crc":                 flipped(len(live) - 1),
		"a wrong secret":              flipped(len(live) - 30),
		"an unknown id":               m.Forge("vak", "0000000000000000", 1),
		"another prefix":              m.Forge("other", w.IDs["owned"], 1),
		"a version to come":           m.Forge("vak", w.IDs["owned"], 2),
		"another secret":              m.Sibling(live),
		"another secret, revoked":     m.Sibling(w.Texts["revoked"]),
		"another secret, expired":     m.Sibling(w.Texts["expired"]),
		"another secret, disabled":    m.Sibling(w.Texts["disabled"]),
		"another secret, superseded":  m.Sibling(w.Texts["old"]),
		"a key that was removed":      w.Texts["removable"],
		"a key with an accent":        strings.Replace(live, "v", "v\u0301", 1),
		"a key in full-width letters": strings.Replace(live, "a", "\uff41", 1),
	}
}

// TestAllDenialsBeforeTheProofAreTheSame compares whole responses.
func TestAllDenialsBeforeTheProofAreTheSame(t *testing.T) {
	w := world.Build(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.Open(t)
		if a := m.Do(logical.DeleteOperation, "keys/"+w.IDs["removable"], nil); !a.OK() {
			t.Fatal(a.Text)
		}
		// So many raise an alert, which is written behind the answers: see trials/watch.
		m.Must("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "alert_warning_per_hour": 1000, "alert_critical_per_hour": 1000})
		before, logged := m.Storage.Dump(), len(m.Log.String())
		raw := func(path string, data map[string]any) string {
			resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{
				Operation: logical.UpdateOperation, Path: path, Data: data, Storage: m.Storage,
			})
			shown, _ := json.Marshal(resp)
			if err != nil {
				return string(shown) + err.Error()
			}
			return string(shown)
		}
		texts := unproven(m, w)
		for _, path := range []string{"verify", "verify/web", "rotate", "revoke", "delegate"} {
			want := raw(path, map[string]any{"key": "x"})
			for why, text := range texts {
				spaced := strings.TrimSpace(text) != text // a mistake at the holder's paths
				if got := raw(path, map[string]any{"key": text}); got != want && !(spaced && !strings.HasPrefix(path, "verify")) {
					t.Errorf("%s of %s: %s, want %s", path, why, got, want)
				}
			}
		}
		invalid := raw("verify", map[string]any{"key": "x"})
		if !strings.Contains(invalid, `"data":{"code":"invalid","http_status":401,"valid":false}`) {
			t.Errorf("a denial: %s", invalid)
		}
		// A right key, and the wrong role, or none.
		for _, role := range []string{"svc", "nonesuch", "no role's name!"} {
			if got := raw("verify/"+role, map[string]any{"key": w.Texts["owned"]}); got != invalid {
				t.Errorf("for role %s: %s", role, got)
			}
		}
		if !m.Storage.SameAs(before) {
			t.Error("a denial changed the storage")
		}
		if text := m.Log.String()[logged:]; text != "" {
			t.Errorf("denials were logged: %s", text)
		}
	})
}

func TestASupersededVersionNeverRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "10d", "grace_period": "1h"})
		old := m.Must("issue/web", nil)
		m.Must("rotate", map[string]any{"key": old.Str("key")})
		before := m.Storage.Dump()
		for range 40 {
			for _, data := range []map[string]any{
				{"key": old.Str("key")},
				{"key": old.Str("key"), "expected_version": 1},
				{"key": old.Str("key"), "expected_version": 2, "grace_period": 0},
			} {
				if a := m.Write("rotate", data); a.Status != http.StatusConflict {
					t.Fatalf("at %v: %d %s", time.Now(), a.Status, a.Text)
				}
			}
			time.Sleep(3*time.Minute - time.Second)
		}
		after := m.Storage.Dump()
		// The flusher renews it as time goes by, whatever is asked.
		delete(before, "usage/mark")
		delete(after, "usage/mark")
		// From when its grace was over, an ended key is in use.
		alert := "alert/ended_key_used." + old.Str("key_id")
		if _, raised := after[alert]; !raised {
			t.Error("no alert was raised")
		}
		delete(after, alert)
		if !maps.EqualFunc(after, before, bytes.Equal) {
			t.Error("a refusal changed the storage")
		}
	})
}
