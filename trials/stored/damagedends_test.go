package stored

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// damage makes one kind of entry unreadable, or all storage calls for it fail.
func damage(m *mount.Mount, prefix, value string) {
	m.T.Helper()
	m.Restart() // writes last uses down, and forgets what was read
	n := 0
	for path := range m.Storage.Dump() {
		if strings.HasPrefix(path, prefix) {
			n++
			if err := m.Storage.Put(m.T.Context(), &logical.StorageEntry{Key: path, Value: []byte(value)}); err != nil {
				m.T.Fatal(err)
			}
			m.Backend.InvalidateKey(m.T.Context(), path)
		}
	}
	if n == 0 {
		m.T.Fatalf("there is no %s to be damaged", prefix)
	}
}

// TestAnEndNeedsItsKeysRecordAndNothingElse: whatever else cannot be read, a key
// is ended, the answer says so, and a repetition changes nothing.
func TestAnEndNeedsItsKeysRecordAndNothingElse(t *testing.T) {
	for _, damaged := range []string{"role/web", "owner/acme", "usage/", "config", "roster/", "quota/", "owner-key/", "role-key/", "key/ROOT"} {
		for _, value := range []string{"{", `{"v":2,"record":{}}`} {
			for way, end := range map[string]func(m *mount.Mount, k mount.Answer) mount.Answer{
				"the operator's": func(m *mount.Mount, k mount.Answer) mount.Answer {
					return m.Write("revoke/"+k.Str("key_id"), map[string]any{"reason": "leaked"})
				},
				"the holder's": func(m *mount.Mount, k mount.Answer) mount.Answer {
					return m.Write("revoke", map[string]any{"key": k.Str("key"), "reason": "leaked"})
				},
				"the owner's": func(m *mount.Mount, k mount.Answer) mount.Answer {
					return m.Write("owners/acme/keys/"+k.Str("key_id")+"/revoke", map[string]any{"reason": "leaked"})
				},
				"the lease's": func(m *mount.Mount, k mount.Answer) mount.Answer { return m.EndLease(k.Secret) },
				"a deletion": func(m *mount.Mount, k mount.Answer) mount.Answer {
					return m.Do(logical.DeleteOperation, "keys/"+k.Str("key_id"), nil)
				},
			} {
				t.Run(strings.ReplaceAll(damaged, "/", " ")+" "+map[bool]string{true: "damaged", false: "newer"}[value == "{"]+" at "+way, func(t *testing.T) {
					m := mount.New(t)
					m.Faulty = true
					leased := way == "the lease's"
					m.Must("roles/web", map[string]any{"generate_lease": leased, "idle_timeout": "10h", "max_keys_per_owner": 9, "max_delegation_depth": 1, "quota": 100})
					root := m.Must("issue/web", map[string]any{"owner": "acme"})
					k := root
					if !leased && damaged == "key/ROOT" {
						k = m.Must("delegate", map[string]any{"key": root.Str("key")})
					}
					m.Code(k.Str("key"))
					if leased && damaged == "key/ROOT" {
						t.Skip("a child has no lease")
					}
					damage(m, strings.ReplaceAll(damaged, "ROOT", root.Str("key_id")[:2]+"/"+root.Str("key_id")), value)
					for range 2 {
						a := end(m, k)
						if !a.OK() {
							t.Fatalf("%d %s", a.Status, a.Text)
						}
						if a.Data != nil && (a.Str("status") != "revoked" || a.Str("revoke_reason") != "leaked" || a.Str("revoked_at") == "") {
							t.Errorf("it answered %v", a.Data)
						}
					}
					if a := m.Write("verify", map[string]any{"key": k.Str("key")}); a.OK() && a.Data["valid"] == true {
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
			m := mount.New(t)
			m.Faulty = true
			m.Must("roles/web", map[string]any{"generate_lease": false})
			issue := func() string { return m.Must("issue/web", map[string]any{"owner": "acme"}).Str("key") }
			var before []string
			for range 3 {
				before = append(before, issue())
				m.Must(stop, map[string]any{"reason": "earlier"})
			}
			before = append(before, issue())
			damage(m, entry, value)
			if a := m.Write("verify", map[string]any{"key": before[3]}); a.Status != http.StatusInternalServerError {
				t.Errorf("%s: a verdict on what cannot be read: %d %v", entry, a.Status, a.Data)
			}
			if a := m.Must(stop, map[string]any{"reason": "leaked"}); a.Str("reason") != "leaked" {
				t.Errorf("%s: it answered %v", stop, a.Data)
			}
			if entry == "role/web" {
				// What it allowed is lost, and nothing is allowed until it is written.
				if a := m.Write("issue/web", nil); a.Status != http.StatusConflict {
					t.Errorf("a lost role issues: %d %v", a.Status, a.Data)
				}
				m.Must("roles/web", map[string]any{"generate_lease": false, "disabled": false})
			}
			after := issue()
			m.Restart()
			for _, text := range before {
				if code := m.Code(text); code != "revoked" {
					t.Errorf("%s: a key of before is %s", stop, code)
				}
			}
			if code := m.Code(after); code != "valid" {
				t.Errorf("%s: a key of after is %s", stop, code)
			}
			m.Must(stop, nil)
			if code := m.Code(after); code != "revoked" {
				t.Errorf("%s again: it is %s", stop, code)
			}
		}
	}
}
