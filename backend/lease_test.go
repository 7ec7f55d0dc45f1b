package backend_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// renew asks for a lease's renewal as Vault's expiration manager does. It hands
// over a copy: Vault keeps the lease in storage, not in the plugin.
func (m *mount) renew(lease *logical.Secret, increment time.Duration) answer {
	m.t.Helper()
	secret := *lease
	secret.Increment = increment
	return m.send(m.ctx, &logical.Request{Operation: logical.RenewOperation, Path: "issue/any", Secret: &secret})
}

// endLease tells the mount that a lease has ended.
func (m *mount) endLease(lease *logical.Secret) answer {
	m.t.Helper()
	secret := *lease
	return m.send(m.ctx, &logical.Request{Operation: logical.RevokeOperation, Path: "issue/any", Secret: &secret})
}

// TestLeasesComeBackAsVaultKeepsThem: a lease stores the whole answer, hands it
// back with each renewal and at the end, and its numbers as floating point.
func TestLeasesComeBackAsVaultKeepsThem(t *testing.T) {
	m := newMount(t)
	m.must("roles/svc", nil)
	k := m.must("issue/svc", nil)
	kept := *k.secret
	kept.IssueTime, kept.LeaseID = time.Now(), "apikeys/issue/svc/h31JRTpNXLyvCBT5y0zRiNzy"
	kept.InternalData = throughJSON(t, kept.InternalData)
	for range 2 {
		again := kept
		a := m.send(t.Context(), &logical.Request{Operation: logical.RenewOperation, Path: "issue/svc", Data: k.data, Secret: &again})
		if !a.ok() || a.data != nil {
			t.Fatalf("renew: %d %s, data %v", a.status, a.text, a.data)
		}
		// The maximum is the record's new end, counted from the lease's issue.
		age := a.secret.MaxTTL - mountDefaultTTL
		if a.secret.TTL != mountDefaultTTL || age < 0 || age > time.Minute || !a.secret.Renewable || a.secret.InternalData["key_id"] != k.str("key_id") {
			t.Errorf("the renewed lease: %+v", a.secret)
		}
	}
	for range 2 {
		again := kept
		a := m.send(t.Context(), &logical.Request{Operation: logical.RevokeOperation, Path: "issue/svc", Data: k.data, Secret: &again})
		if !a.ok() || a.data != nil {
			t.Fatalf("end: %d %s", a.status, a.text)
		}
	}
	if code := m.code(k.str("key")); code != "revoked" {
		t.Errorf("after its lease ended the key is %s", code)
	}
	if a := m.renew(&kept, 0); a.ok() {
		t.Error("an ended lease was renewed")
	}
}

func TestLeasesOfNothingAreNoPanic(t *testing.T) {
	m := newMount(t)
	for name, data := range map[string]map[string]any{
		"no data":        nil,
		"no version":     {"key_id": "0000000000000000"},
		"a float":        {"key_id": "0000000000000000", "version": 1.0},
		"no number":      {"key_id": "0000000000000000", "version": "x"},
		"no id":          {"key_id": 7, "version": "1"},
		"a hostile id":   {"key_id": "../../config", "version": "1"},
		"an unknown key": {"key_id": "0000000000000000", "version": "1"},
		"version zero":   {"key_id": "0000000000000000", "version": "0"},
	} {
		before := m.storage.dump()
		lease := &logical.Secret{InternalData: map[string]any{"secret_type": "api_key"}}
		maps.Copy(lease.InternalData, data)
		if a := m.renew(lease, 0); a.ok() {
			t.Errorf("%s was renewed", name)
		}
		m.endLease(lease)
		if !m.storage.sameAs(before) {
			t.Errorf("%s changed the storage", name)
		}
	}
}

// A mount is tainted while it is disabled, and while it is moved. Which of the two
// it is a plugin cannot tell, so what is asked for is done.
func TestALeaseThatEndsInATaintedMountEndsItsVersion(t *testing.T) {
	m := newMount(t)
	m.must("roles/svc", nil)
	k := m.must("issue/svc", nil)
	old := m.must("issue/svc", nil)
	m.registered(k, old)
	m.must("rotate/"+old.str("key_id"), map[string]any{"grace_period": "1h"})
	m.system.TaintedVal = true
	for _, lease := range []*logical.Secret{k.secret, old.secret} {
		if a := m.endLease(lease); !a.ok() {
			t.Errorf("%d %s", a.status, a.text)
		}
	}
	m.system.TaintedVal = false // the mount has moved
	m.restart()
	for key, want := range map[string]string{k.str("key"): "revoked", old.str("key"): "superseded"} {
		if code := m.code(key); code != want {
			t.Errorf("after the move a key is %s, wanted %s", code, want)
		}
	}
}

// Storage of a mount that goes away may fail; an error would keep the mount from
// being disabled. It is logged, since the mount may be moving instead.
func TestTheEndOfALeaseNeverHoldsUpAnUnmount(t *testing.T) {
	m := newMount(t)
	m.must("roles/svc", nil)
	k := m.must("issue/svc", nil)
	nothing := *k.secret
	nothing.InternalData = map[string]any{"secret_type": "api_key"}
	m.registered(k)
	for _, tainted := range []bool{false, true} {
		m.system.TaintedVal = tainted
		if a := m.endLease(&nothing); a.ok() != tainted {
			t.Errorf("tainted=%t: the end of a lease of nothing answers %d %s", tainted, a.status, a.text)
		}
		for _, method := range []string{"get", "put"} {
			m.storage.intercept(func(_ context.Context, c call, effect func()) error {
				if c.method == method {
					return errStorage
				}
				effect()
				return nil
			})
			if a := m.endLease(k.secret); a.ok() != tainted {
				t.Errorf("tainted=%t: where each %s fails the end of a lease answers %d %s", tainted, method, a.status, a.text)
			}
			m.storage.intercept(nil)
		}
	}
	if log := m.log.String(); strings.Count(log, "request failed") != 4 || strings.Count(log, "may not have") != 3 {
		t.Errorf("the failures are not logged:\n%s", log)
	}
}

// registered are leases that Vault has taken into its care.
func (m *mount) registered(answers ...answer) {
	for _, a := range answers {
		a.secret.IssueTime = time.Now()
	}
}

// TestLeaseAndRecordEndTogether at every fraction of a second: the record never
// later, and at most a second earlier.
func TestLeaseAndRecordEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.must("roles/svc", map[string]any{"ttl": 100, "max_ttl": 400})
		for millis := range 40 {
			time.Sleep(time.Duration(millis*25) * time.Millisecond)
			k := m.must("issue/svc", nil)
			issued := time.Now()
			agree(t, k.secret.TTL, k.str("expires_at"))
			k.secret.IssueTime = issued
			for _, increment := range []time.Duration{0, 10 * time.Second, 350 * time.Second, time.Hour} {
				time.Sleep(time.Duration(1+millis) * 37 * time.Millisecond)
				a := m.renew(k.secret, increment)
				if !a.ok() {
					t.Fatalf("renew by %v: %s", increment, a.text)
				}
				// As core does with what the plugin grants.
				ttl, _, err := framework.CalculateTTL(m.system, increment, a.secret.TTL, 0, a.secret.MaxTTL, 0, issued)
				if err != nil {
					t.Fatal(err)
				}
				agree(t, ttl, m.read("keys/"+k.str("key_id")).str("expires_at"))
			}
		}
	})
}

func agree(t *testing.T, ttl time.Duration, expiresAt string) {
	t.Helper()
	record, err := time.Parse(time.RFC3339, expiresAt)
	if err != nil {
		t.Fatal(err)
	}
	if later := time.Now().Add(ttl).Sub(record); later < 0 || later > time.Second {
		t.Errorf("at %v the lease ends %v after the record", time.Now(), later)
	}
}
