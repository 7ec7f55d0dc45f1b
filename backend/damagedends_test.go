package backend_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

// damage makes one kind of entry unreadable, or all storage calls for it fail.
func (m *mount) damage(prefix, value string) {
	m.t.Helper()
	m.restart() // writes last uses down, and forgets what was read
	n := 0
	for path := range m.storage.dump() {
		if strings.HasPrefix(path, prefix) {
			n++
			if err := m.storage.Put(m.t.Context(), &logical.StorageEntry{Key: path, Value: []byte(value)}); err != nil {
				m.t.Fatal(err)
			}
			m.backend.InvalidateKey(m.t.Context(), path)
		}
	}
	if n == 0 {
		m.t.Fatalf("there is no %s to be damaged", prefix)
	}
}

// TestAnEndNeedsItsKeysRecordAndNothingElse: whatever else cannot be read, a key
// is ended, the answer says so, and a repetition changes nothing.
func TestAnEndNeedsItsKeysRecordAndNothingElse(t *testing.T) {
	for _, damaged := range []string{"role/web", "owner/acme", "usage/", "config", "roster/", "quota/", "owner-key/", "role-key/", "key/ROOT"} {
		for _, value := range []string{"{", `{"v":2,"record":{}}`} {
			for door, end := range map[string]func(m *mount, k answer) answer{
				"the operator's": func(m *mount, k answer) answer {
					return m.write("revoke/"+k.str("key_id"), map[string]any{"reason": "leaked"})
				},
				"the holder's": func(m *mount, k answer) answer {
					return m.write("revoke", map[string]any{"key": k.str("key"), "reason": "leaked"})
				},
				"the owner's": func(m *mount, k answer) answer {
					return m.write("owners/acme/keys/"+k.str("key_id")+"/revoke", map[string]any{"reason": "leaked"})
				},
				"the lease's": func(m *mount, k answer) answer { return m.endLease(k.secret) },
				"a deletion": func(m *mount, k answer) answer {
					return m.do(logical.DeleteOperation, "keys/"+k.str("key_id"), nil)
				},
			} {
				t.Run(strings.ReplaceAll(damaged, "/", " ")+" "+map[bool]string{true: "damaged", false: "newer"}[value == "{"]+" at "+door, func(t *testing.T) {
					m := newMount(t)
					m.faulty = true
					leased := door == "the lease's"
					m.must("roles/web", map[string]any{"generate_lease": leased, "idle_timeout": "10h", "max_keys_per_owner": 9, "max_delegation_depth": 1, "quota": 100})
					root := m.must("issue/web", map[string]any{"owner": "acme"})
					k := root
					if !leased && damaged == "key/ROOT" {
						k = m.must("delegate", map[string]any{"key": root.str("key")})
					}
					m.code(k.str("key"))
					if leased && damaged == "key/ROOT" {
						t.Skip("a child has no lease")
					}
					m.damage(strings.ReplaceAll(damaged, "ROOT", root.str("key_id")[:2]+"/"+root.str("key_id")), value)
					for range 2 {
						a := end(m, k)
						if !a.ok() {
							t.Fatalf("%d %s", a.status, a.text)
						}
						if a.data != nil && (a.str("status") != "revoked" || a.str("revoke_reason") != "leaked" || a.str("revoked_at") == "") {
							t.Errorf("it answered %v", a.data)
						}
					}
					if a := m.write("verify", map[string]any{"key": k.str("key")}); a.ok() && a.data["valid"] == true {
						t.Error("it is valid")
					}
				})
			}
		}
	}
}

// TestAStopIsPossibleWhereItsEntryIsDamaged: all that was issued is ended for
// good, and what is issued later is fine.
func TestAStopIsPossibleWhereItsEntryIsDamaged(t *testing.T) {
	for _, value := range []string{"{", `{"v":2,"record":{}}`, `{"v":1,"record":{"generation":1,"halts":[]}}`} {
		for entry, stop := range map[string]string{"owner/acme": "stop/owners/acme", "role/web": "stop/roles/web"} {
			m := newMount(t)
			m.faulty = true
			m.must("roles/web", map[string]any{"generate_lease": false})
			issue := func() string { return m.must("issue/web", map[string]any{"owner": "acme"}).str("key") }
			var before []string
			for range 3 {
				before = append(before, issue())
				m.must(stop, map[string]any{"reason": "earlier"})
			}
			before = append(before, issue())
			m.damage(entry, value)
			if a := m.write("verify", map[string]any{"key": before[3]}); a.status != http.StatusInternalServerError {
				t.Errorf("%s: a verdict on what cannot be read: %d %v", entry, a.status, a.data)
			}
			if a := m.must(stop, map[string]any{"reason": "leaked"}); a.str("reason") != "leaked" {
				t.Errorf("%s: it answered %v", stop, a.data)
			}
			if entry == "role/web" {
				// What it allowed is lost, and nothing is allowed until it is written.
				if a := m.write("issue/web", nil); a.status != http.StatusConflict {
					t.Errorf("a lost role issues: %d %v", a.status, a.data)
				}
				m.must("roles/web", map[string]any{"generate_lease": false, "disabled": false})
			}
			after := issue()
			m.restart()
			for _, text := range before {
				if code := m.code(text); code != "revoked" {
					t.Errorf("%s: a key of before is %s", stop, code)
				}
			}
			if code := m.code(after); code != "valid" {
				t.Errorf("%s: a key of after is %s", stop, code)
			}
			m.must(stop, nil)
			if code := m.code(after); code != "revoked" {
				t.Errorf("%s again: it is %s", stop, code)
			}
		}
	}
}
