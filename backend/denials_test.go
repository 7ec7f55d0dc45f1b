package backend_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// unproven are texts that are no proven key, by why not.
func unproven(m *mount, w *world) map[string]string {
	live := w.texts["owned"]
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
		"an unknown id":               m.forge("vak", "0000000000000000", 1),
		"another prefix":              m.forge("other", w.ids["owned"], 1),
		"a version to come":           m.forge("vak", w.ids["owned"], 2),
		"another secret":              m.sibling(live),
		"another secret, revoked":     m.sibling(w.texts["revoked"]),
		"another secret, expired":     m.sibling(w.texts["expired"]),
		"another secret, disabled":    m.sibling(w.texts["disabled"]),
		"another secret, superseded":  m.sibling(w.texts["old"]),
		"a key that was removed":      w.texts["removable"],
		"a key with an accent":        strings.Replace(live, "v", "v\u0301", 1),
		"a key in full-width letters": strings.Replace(live, "a", "\uff41", 1),
	}
}

// TestAllDenialsBeforeTheProofAreTheSame compares whole responses.
func TestAllDenialsBeforeTheProofAreTheSame(t *testing.T) {
	w := buildWorld(t)
	synctest.Test(t, func(t *testing.T) {
		m := w.open(t)
		if a := m.do(logical.DeleteOperation, "keys/"+w.ids["removable"], nil); !a.ok() {
			t.Fatal(a.text)
		}
		before, logged := m.storage.dump(), len(m.log.String())
		raw := func(path string, data map[string]any) string {
			resp, err := m.backend.HandleRequest(t.Context(), &logical.Request{
				Operation: logical.UpdateOperation, Path: path, Data: data, Storage: m.storage,
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
				spaced := strings.TrimSpace(text) != text // a mistake at the holder's doors
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
			if got := raw("verify/"+role, map[string]any{"key": w.texts["owned"]}); got != invalid {
				t.Errorf("for role %s: %s", role, got)
			}
		}
		if !m.storage.sameAs(before) {
			t.Error("a denial changed the storage")
		}
		if text := m.log.String()[logged:]; text != "" {
			t.Errorf("denials were logged: %s", text)
		}
	})
}

func TestASupersededVersionNeverRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "10d", "grace_period": "1h"})
		old := m.must("issue/web", nil)
		m.must("rotate", map[string]any{"key": old.str("key")})
		before := m.storage.dump()
		for range 40 {
			for _, data := range []map[string]any{
				{"key": old.str("key")},
				{"key": old.str("key"), "expected_version": 1},
				{"key": old.str("key"), "expected_version": 2, "grace_period": 0},
			} {
				if a := m.write("rotate", data); a.status != http.StatusConflict {
					t.Fatalf("at %v: %d %s", time.Now(), a.status, a.text)
				}
			}
			time.Sleep(3*time.Minute - time.Second)
		}
		if !m.storage.sameAs(before) {
			t.Error("a refusal changed the storage")
		}
	})
}

func TestAClockThatIsSetBackRevivesNothing(t *testing.T) {
	for _, back := range []time.Duration{-time.Second, -time.Hour, -tenYears} {
		synctest.Test(t, func(t *testing.T) {
			m := newMount(t)
			m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "10d", "grace_period": 60})
			m.must("roles/svc", map[string]any{"ttl": 60})
			short := m.must("issue/web", map[string]any{"ttl": 60})
			leased := m.must("issue/svc", nil)
			leased.secret.IssueTime = time.Now()
			old := m.must("issue/web", nil)
			m.must("rotate/"+old.str("key_id"), nil)
			time.Sleep(60 * time.Second)
			ended(t, m, short, old, leased)
			m.wrong.Store(int64(back))
			for range 20 {
				ended(t, m, short, old, leased)
				m.pass(time.Minute)
			}
			fresh := m.must("issue/web", nil)
			if code := m.code(fresh.str("key")); code != "valid" {
				t.Errorf("a new key is %s", code)
			}
		})
	}
}

func ended(t *testing.T, m *mount, short, old, leased answer) {
	t.Helper()
	for want, a := range map[string]answer{"expired": short, "superseded": old} {
		if code := m.code(a.str("key")); code != want {
			t.Errorf("%s is %s", want, code)
		}
	}
	for _, id := range []string{short.str("key_id"), leased.str("key_id")} {
		for _, path := range []string{"rotate/" + id, "keys/" + id} {
			if a := m.write(path, map[string]any{}); a.status != http.StatusConflict {
				t.Errorf("%s of an ended key: %d %s", path, a.status, a.text)
			}
		}
	}
	if a := m.renew(leased.secret, 0); a.ok() {
		t.Error("the lease of an ended key was renewed")
	}
}
