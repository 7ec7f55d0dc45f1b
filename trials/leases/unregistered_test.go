package leases

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// Where Vault cannot register a lease, most often because the client hung up, it
// revokes what it could not register, at once. Nobody got that answer.

// withdrawn is the end of a lease that was never registered.
func withdrawn(m *mount.Mount, a mount.Answer) {
	m.T.Helper()
	unregistered := *a.Secret
	unregistered.IssueTime = time.Time{}
	if a := m.EndLease(&unregistered); !a.OK() {
		m.T.Fatalf("%d %s", a.Status, a.Text)
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
					m := mount.New(t)
					m.Must("config", map[string]any{"revoked_retention": retention, "argon2_memory_kib": 19456, "argon2_iterations": 2})
					m.Must("roles/svc", map[string]any{"ttl": "1h", "max_ttl": "20h"})
					old := m.Must("issue/svc", nil)
					m.Registered(old)
					before := m.Read("keys/" + old.Str("key_id")).Data
					time.Sleep(time.Minute)
					next := rotateSomehow(m, old, rotation)
					withdrawn(m, next)
					for range 2 {
						after := m.Read("keys/" + old.Str("key_id")).Data
						if got, want := throughText(after), throughText(before); got != want {
							t.Fatalf("the key is\n%s\nand was\n%s", got, want)
						}
						if a, b := m.Code(old.Str("key")), m.Code(next.Str("key")); a != "valid" || b != "invalid" {
							t.Errorf("the version before is %s, the withdrawn one %s", a, b)
						}
						withdrawn(m, next) // as a plugin that died under it is asked again
					}
					if a := m.Renew(old.Secret, 0); !a.OK() || a.Secret.TTL != time.Hour || !a.Secret.Renewable {
						t.Errorf("the lease of the version before renews to %+v, %s", a.Secret, a.Text)
					}
					again := rotateSomehow(m, old, rotation)
					if n := again.Data["version"]; n != 3.0 {
						t.Errorf("the number of the withdrawn version was given out again: %v", n)
					}
					m.Registered(again)
					if a := m.EndLease(again.Secret); !a.OK() || m.Code(old.Str("key")) != "revoked" {
						t.Errorf("the end of a registered lease answers %d and leaves the key %s", a.Status, m.Code(old.Str("key")))
					}
				})
			})
		}
	}
}

// rotateSomehow rotates by the holder's path where data has a key.
func rotateSomehow(m *mount.Mount, old mount.Answer, data map[string]any) mount.Answer {
	m.T.Helper()
	if _, holder := data["key"]; holder {
		return m.Must("rotate", map[string]any{"key": old.Str("key")})
	}
	return m.Must("rotate/"+old.Str("key_id"), data)
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
	m := mount.New(t)
	m.Must("roles/svc", map[string]any{"max_keys_per_owner": 1})
	k := m.Must("issue/svc", map[string]any{"owner": "acme"})
	for range 2 {
		withdrawn(m, k)
		if code, read := m.Code(k.Str("key")), m.Read("keys/"+k.Str("key_id")); code != "invalid" || read.Status != 404 {
			t.Errorf("it is %s, a read answers %d", code, read.Status)
		}
	}
	revoked := m.Must("issue/svc", map[string]any{"owner": "acme"}) // the owner has room for it
	m.Must("revoke/"+revoked.Str("key_id"), map[string]any{"reason": "r"})
	withdrawn(m, revoked)
	if reason := m.Read("keys/" + revoked.Str("key_id")).Str("revoke_reason"); reason != "r" {
		t.Errorf("after its revocation the end of its lease leaves the reason %q", reason)
	}
}

// Only what Vault says at once is a failure to register. A server that dated no
// revocation must not make each into one.
func TestNoOldVersionIsWithdrawnAndNoneThatAnotherReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/svc", map[string]any{"ttl": "1h"})
		one := m.Must("issue/svc", nil)
		id := one.Str("key_id")
		two := m.Must("rotate/"+id, map[string]any{"grace_period": "30m"})
		three := m.Must("rotate/"+id, map[string]any{"grace_period": "30m"})
		withdrawn(m, two)
		want := map[string]string{one.Str("key"): "superseded", two.Str("key"): "superseded", three.Str("key"): "valid"}
		for key, code := range want {
			if got := m.Code(key); got != code {
				t.Errorf("a key is %s, wanted %s", got, code)
			}
		}
		time.Sleep(6 * time.Minute)
		withdrawn(m, three)
		if code := m.Code(three.Str("key")); code != "revoked" {
			t.Errorf("a revocation of a version of six minutes left it %s", code)
		}
	})
}

// The version before may have learned of its end from a renewal; its lease ends
// there, and so does the key.
func TestAWithdrawalLeavesNoVersionThatOutlivesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/svc", map[string]any{"ttl": "1h"})
		old := m.Must("issue/svc", nil)
		m.Registered(old)
		next := m.Must("rotate/"+old.Str("key_id"), map[string]any{"grace_period": "10m"})
		a := m.Renew(old.Secret, 0)
		if !a.OK() || a.Secret.TTL != 10*time.Minute || a.Secret.Renewable {
			t.Fatalf("the renewal in grace: %+v", a.Secret)
		}
		withdrawn(m, next)
		agree(t, a.Secret.TTL, m.Read("keys/"+old.Str("key_id")).Str("expires_at"))
		time.Sleep(10 * time.Minute)
		if code := m.Code(old.Str("key")); code != "expired" {
			t.Errorf("after its lease it is %s", code)
		}
	})
}

// Its lease may have ended for good while the rotation stood.
func TestAWithdrawalRevivesNoVersionWhoseLeaseWasEnded(t *testing.T) {
	for _, grace := range []string{"10m", "0"} {
		m := mount.New(t)
		m.Must("roles/svc", map[string]any{"ttl": "1h"})
		old := m.Must("issue/svc", nil)
		m.Registered(old)
		next := m.Must("rotate/"+old.Str("key_id"), map[string]any{"grace_period": grace})
		if a := m.EndLease(old.Secret); !a.OK() {
			t.Fatalf("%d %s", a.Status, a.Text)
		}
		if code := m.Code(next.Str("key")); code != "valid" {
			t.Errorf("the end of the lease before leaves the next version %s", code)
		}
		withdrawn(m, next)
		if code := m.Code(old.Str("key")); code == "valid" {
			t.Errorf("with a grace of %s it is %s again", grace, code)
		}
	}
}

func TestALeaseIsRefusedToABatchToken(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/svc", nil)
	m.Must("roles/web", map[string]any{"generate_lease": false, "max_delegation_depth": 1})
	svc, web := m.Must("issue/svc", nil), m.Must("issue/web", nil)
	m.Registered(svc)
	child := m.Must("delegate", map[string]any{"key": web.Str("key")})
	// A batch token has no accessor, and nothing else that a plugin could see.
	asBatch := func(path string, data map[string]any) mount.Answer {
		return m.Send(t.Context(), &logical.Request{Operation: logical.UpdateOperation, Path: path, Data: data, ClientToken: "hmac:batch"})
	}
	before := m.Storage.Dump()
	for path, data := range map[string]map[string]any{
		"issue/svc":                   nil,
		"issue":                       {"role": "svc"},
		"rotate/" + svc.Str("key_id"): nil,
		"rotate":                      {"key": svc.Str("key")},
	} {
		if a := asBatch(path, data); a.Status != 400 || a.Text != "a batch token cannot hold the lease of a key: use a service token, or a role with generate_lease=false" {
			t.Errorf("%s answers %d %s", path, a.Status, a.Text)
		}
	}
	if !m.Storage.SameAs(before) {
		t.Error("a refusal left something in storage")
	}
	m.Must("roles/web", map[string]any{"generate_lease": true})
	if a := asBatch("rotate/"+child.Str("key_id"), nil); !a.OK() || a.Secret != nil {
		t.Errorf("a child, which is never leased, is rotated with %d %s", a.Status, a.Text)
	}
	if a := asBatch("delegate", map[string]any{"key": web.Str("key")}); !a.OK() {
		t.Errorf("a child is made with %d %s", a.Status, a.Text)
	}
	m.Must("roles/web", map[string]any{"generate_lease": false})
	for path, data := range map[string]map[string]any{"issue/web": nil, "rotate": {"key": web.Str("key")}} {
		if a := asBatch(path, data); !a.OK() {
			t.Errorf("unleased %s answers %d %s", path, a.Status, a.Text)
		}
	}
}
