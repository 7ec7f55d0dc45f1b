package backend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Where Vault cannot register a lease, most often because the client hung up, it
// revokes what it could not register, at once. Nobody got that answer.

// withdrawn is the end of a lease that was never registered.
func (m *mount) withdrawn(a answer) {
	m.t.Helper()
	unregistered := *a.secret
	unregistered.IssueTime = time.Time{}
	if a := m.endLease(&unregistered); !a.ok() {
		m.t.Fatalf("%d %s", a.status, a.text)
	}
}

func TestALeaseThatWasNeverRegisteredWithdrawsItsVersion(t *testing.T) {
	for name, rotation := range map[string]map[string]any{
		"with the role's grace": nil,
		"at once":               {"grace_period": 0},
		"with a short life":     {"ttl": 60},
		"by the holder":         {"key": ""},
	} {
		for _, retention := range []any{"72h", 0} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMount(t)
					m.must("config", map[string]any{"revoked_retention": retention, "argon2_memory_kib": 19456, "argon2_iterations": 2})
					m.must("roles/svc", map[string]any{"ttl": "1h", "max_ttl": "20h"})
					old := m.must("issue/svc", nil)
					m.registered(old)
					before := m.read("keys/" + old.str("key_id")).data
					time.Sleep(time.Minute)
					next := m.rotateSomehow(old, rotation)
					m.withdrawn(next)
					for range 2 {
						after := m.read("keys/" + old.str("key_id")).data
						if got, want := throughText(after), throughText(before); got != want {
							t.Fatalf("the key is\n%s\nand was\n%s", got, want)
						}
						if a, b := m.code(old.str("key")), m.code(next.str("key")); a != "valid" || b != "invalid" {
							t.Errorf("the version before is %s, the withdrawn one %s", a, b)
						}
						m.withdrawn(next) // as a plugin that died under it is asked again
					}
					if a := m.renew(old.secret, 0); !a.ok() || a.secret.TTL != time.Hour || !a.secret.Renewable {
						t.Errorf("the lease of the version before renews to %+v, %s", a.secret, a.text)
					}
					again := m.rotateSomehow(old, rotation)
					if n := again.data["version"]; n != 3.0 {
						t.Errorf("the number of the withdrawn version was given out again: %v", n)
					}
					m.registered(again)
					if a := m.endLease(again.secret); !a.ok() || m.code(old.str("key")) != "revoked" {
						t.Errorf("the end of a registered lease answers %d and leaves the key %s", a.status, m.code(old.str("key")))
					}
				})
			})
		}
	}
}

// rotateSomehow rotates by the holder's door where data has a key.
func (m *mount) rotateSomehow(old answer, data map[string]any) answer {
	m.t.Helper()
	if _, holder := data["key"]; holder {
		return m.must("rotate", map[string]any{"key": old.str("key")})
	}
	return m.must("rotate/"+old.str("key_id"), data)
}

func throughText(data map[string]any) string {
	data = maps.Clone(data)
	delete(data, "last_used_at")
	for _, v := range data["versions"].([]any) {
		delete(v.(map[string]any), "last_used_at")
	}
	return fmt.Sprint(data)
}

func TestAKeyWhoseFirstLeaseWasNeverRegisteredIsGone(t *testing.T) {
	m := newMount(t)
	m.must("roles/svc", map[string]any{"max_keys_per_owner": 1})
	k := m.must("issue/svc", map[string]any{"owner": "acme"})
	for range 2 {
		m.withdrawn(k)
		if code, read := m.code(k.str("key")), m.read("keys/"+k.str("key_id")); code != "invalid" || read.status != 404 {
			t.Errorf("it is %s, a read answers %d", code, read.status)
		}
	}
	revoked := m.must("issue/svc", map[string]any{"owner": "acme"}) // the owner has room for it
	m.must("revoke/"+revoked.str("key_id"), map[string]any{"reason": "r"})
	m.withdrawn(revoked)
	if reason := m.read("keys/" + revoked.str("key_id")).str("revoke_reason"); reason != "r" {
		t.Errorf("after its revocation the end of its lease leaves the reason %q", reason)
	}
}

// Only what Vault says at once is a failure to register. A server that dated no
// revocation must not make each into one.
func TestNoOldVersionIsWithdrawnAndNoneThatAnotherReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.must("roles/svc", map[string]any{"ttl": "1h"})
		one := m.must("issue/svc", nil)
		id := one.str("key_id")
		two := m.must("rotate/"+id, map[string]any{"grace_period": "30m"})
		three := m.must("rotate/"+id, map[string]any{"grace_period": "30m"})
		m.withdrawn(two)
		want := map[string]string{one.str("key"): "superseded", two.str("key"): "superseded", three.str("key"): "valid"}
		for key, code := range want {
			if got := m.code(key); got != code {
				t.Errorf("a key is %s, wanted %s", got, code)
			}
		}
		time.Sleep(6 * time.Minute)
		m.withdrawn(three)
		if code := m.code(three.str("key")); code != "revoked" {
			t.Errorf("a revocation of a version of six minutes left it %s", code)
		}
	})
}

// The version before may have learned of its end from a renewal; its lease ends
// there, and so does the key.
func TestAWithdrawalLeavesNoVersionThatOutlivesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.must("roles/svc", map[string]any{"ttl": "1h"})
		old := m.must("issue/svc", nil)
		m.registered(old)
		next := m.must("rotate/"+old.str("key_id"), map[string]any{"grace_period": "10m"})
		a := m.renew(old.secret, 0)
		if !a.ok() || a.secret.TTL != 10*time.Minute || a.secret.Renewable {
			t.Fatalf("the renewal in grace: %+v", a.secret)
		}
		m.withdrawn(next)
		agree(t, a.secret.TTL, m.read("keys/"+old.str("key_id")).str("expires_at"))
		time.Sleep(10 * time.Minute)
		if code := m.code(old.str("key")); code != "expired" {
			t.Errorf("after its lease it is %s", code)
		}
	})
}

// Its lease may have ended for good while the rotation stood.
func TestAWithdrawalRevivesNoVersionWhoseLeaseWasEnded(t *testing.T) {
	for _, grace := range []string{"10m", "0"} {
		m := newMount(t)
		m.must("roles/svc", map[string]any{"ttl": "1h"})
		old := m.must("issue/svc", nil)
		m.registered(old)
		next := m.must("rotate/"+old.str("key_id"), map[string]any{"grace_period": grace})
		if a := m.endLease(old.secret); !a.ok() {
			t.Fatalf("%d %s", a.status, a.text)
		}
		if code := m.code(next.str("key")); code != "valid" {
			t.Errorf("the end of the lease before leaves the next version %s", code)
		}
		m.withdrawn(next)
		if code := m.code(old.str("key")); code == "valid" {
			t.Errorf("with a grace of %s it is %s again", grace, code)
		}
	}
}

func TestALeaseIsRefusedToABatchToken(t *testing.T) {
	m := newMount(t)
	m.must("roles/svc", nil)
	m.must("roles/web", map[string]any{"generate_lease": false, "max_delegation_depth": 1})
	svc, web := m.must("issue/svc", nil), m.must("issue/web", nil)
	m.registered(svc)
	child := m.must("delegate", map[string]any{"key": web.str("key")})
	// A batch token has no accessor, and nothing else that a plugin could see.
	asBatch := func(path string, data map[string]any) answer {
		return m.send(t.Context(), &logical.Request{Operation: logical.UpdateOperation, Path: path, Data: data, ClientToken: "hmac:batch"})
	}
	before := m.storage.dump()
	for path, data := range map[string]map[string]any{
		"issue/svc":                   nil,
		"issue":                       {"role": "svc"},
		"rotate/" + svc.str("key_id"): nil,
		"rotate":                      {"key": svc.str("key")},
	} {
		if a := asBatch(path, data); a.status != 400 || a.text != "a batch token cannot hold the lease of a key: use a service token, or a role with generate_lease=false" {
			t.Errorf("%s answers %d %s", path, a.status, a.text)
		}
	}
	if !m.storage.sameAs(before) {
		t.Error("a refusal left something in storage")
	}
	m.must("roles/web", map[string]any{"generate_lease": true})
	if a := asBatch("rotate/"+child.str("key_id"), nil); !a.ok() || a.secret != nil {
		t.Errorf("a child, which is never leased, is rotated with %d %s", a.status, a.text)
	}
	if a := asBatch("delegate", map[string]any{"key": web.str("key")}); !a.ok() {
		t.Errorf("a child is made with %d %s", a.status, a.text)
	}
	m.must("roles/web", map[string]any{"generate_lease": false})
	for path, data := range map[string]map[string]any{"issue/web": nil, "rotate": {"key": web.str("key")}} {
		if a := asBatch(path, data); !a.ok() {
			t.Errorf("unleased %s answers %d %s", path, a.status, a.text)
		}
	}
}

// takenBack tells whether a key is as it was before a rotation that was withdrawn.
// What such a rotation has ended besides is not revived: a grace that was older
// than the version before.
func takenBack(now, before []byte) bool {
	var is, was struct {
		Record record.Key `json:"record"`
	}
	if json.Unmarshal(now, &is) != nil || json.Unmarshal(before, &was) != nil || is.Record.Withdrawn == 0 {
		return false
	}
	is.Record.Withdrawn = 0
	was.Record.Newest().Request = "" // no request makes that version again
	for i := 1; i < min(len(is.Record.Versions), len(was.Record.Versions)); i++ {
		if older := &is.Record.Versions[i]; older.ValidUntil < was.Record.Versions[i].ValidUntil {
			older.ValidUntil = was.Record.Versions[i].ValidUntil
		}
	}
	// As they are stored: two hashes are not compared by what holds them.
	a, errA := json.Marshal(is)
	b, errB := json.Marshal(was)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
