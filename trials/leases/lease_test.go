// Package leases tries what Vault does with the leases of keys.
package leases

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestLeasesComeBackAsVaultKeepsThem: a lease stores the whole answer, hands it
// back with each renewal and at the end, and its numbers as floating point.
func TestLeasesComeBackAsVaultKeepsThem(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/svc", nil)
	k := m.Must("issue/svc", nil)
	kept := *k.Secret
	kept.IssueTime, kept.LeaseID = time.Now(), "apikeys/issue/svc/h31JRTpNXLyvCBT5y0zRiNzy"
	kept.InternalData = mount.ThroughJSON(t, kept.InternalData)
	for range 2 {
		again := kept
		a := m.Send(t.Context(), &logical.Request{Operation: logical.RenewOperation, Path: "issue/svc", Data: k.Data, Secret: &again})
		if !a.OK() || a.Data != nil {
			t.Fatalf("renew: %d %s, data %v", a.Status, a.Text, a.Data)
		}
		// The maximum is the record's new end, counted from the lease's issue.
		age := a.Secret.MaxTTL - mount.DefaultTTL
		if a.Secret.TTL != mount.DefaultTTL || age < 0 || age > time.Minute || !a.Secret.Renewable || a.Secret.InternalData["key_id"] != k.Str("key_id") {
			t.Errorf("the renewed lease: %+v", a.Secret)
		}
	}
	for range 2 {
		again := kept
		a := m.Send(t.Context(), &logical.Request{Operation: logical.RevokeOperation, Path: "issue/svc", Data: k.Data, Secret: &again})
		if !a.OK() || a.Data != nil {
			t.Fatalf("end: %d %s", a.Status, a.Text)
		}
	}
	if code := m.Code(k.Str("key")); code != "revoked" {
		t.Errorf("after its lease ended the key is %s", code)
	}
	if a := m.Renew(&kept, 0); a.OK() {
		t.Error("an ended lease was renewed")
	}
}

func TestLeasesOfNothingAreNoPanic(t *testing.T) {
	m := mount.New(t)
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
		before := m.Storage.Dump()
		lease := &logical.Secret{InternalData: map[string]any{"secret_type": "api_key"}}
		maps.Copy(lease.InternalData, data)
		if a := m.Renew(lease, 0); a.OK() {
			t.Errorf("%s was renewed", name)
		}
		m.EndLease(lease)
		if !m.Storage.SameAs(before) {
			t.Errorf("%s changed the storage", name)
		}
	}
}

// A mount is tainted while it is disabled, and while it is moved. Which of the two
// it is a plugin cannot tell, so what is asked for is done.
func TestALeaseThatEndsInATaintedMountEndsItsVersion(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/svc", nil)
	k := m.Must("issue/svc", nil)
	old := m.Must("issue/svc", nil)
	m.Registered(k, old)
	m.Must("rotate/"+old.Str("key_id"), map[string]any{"grace_period": "1h"})
	m.System.Change(func(v *logical.StaticSystemView) { v.TaintedVal = true })
	for _, lease := range []*logical.Secret{k.Secret, old.Secret} {
		if a := m.EndLease(lease); !a.OK() {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	}
	m.System.Change(func(v *logical.StaticSystemView) { v.TaintedVal = false }) // the mount has moved
	m.Restart()
	for key, want := range map[string]string{k.Str("key"): "revoked", old.Str("key"): "superseded"} {
		if code := m.Code(key); code != want {
			t.Errorf("after the move a key is %s, wanted %s", code, want)
		}
	}
}

// Storage of a mount that goes away may fail; an error would keep the mount from
// being disabled. It is logged, since the mount may be moving instead.
func TestTheEndOfALeaseNeverHoldsUpAnUnmount(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/svc", nil)
	k := m.Must("issue/svc", nil)
	nothing := *k.Secret
	nothing.InternalData = map[string]any{"secret_type": "api_key"}
	m.Registered(k)
	for _, tainted := range []bool{false, true} {
		m.System.Change(func(v *logical.StaticSystemView) { v.TaintedVal = tainted })
		if a := m.EndLease(&nothing); a.OK() != tainted {
			t.Errorf("tainted=%t: the end of a lease of nothing answers %d %s", tainted, a.Status, a.Text)
		}
		for _, method := range []string{"get", "put"} {
			m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
				if c.Method == method {
					return memory.ErrStorage
				}
				effect()
				return nil
			})
			if a := m.EndLease(k.Secret); a.OK() != tainted {
				t.Errorf("tainted=%t: where each %s fails the end of a lease answers %d %s", tainted, method, a.Status, a.Text)
			}
			m.Storage.Intercept(nil)
		}
	}
	if log := m.Log.String(); strings.Count(log, "request failed") != 4 || strings.Count(log, "may not have") != 3 {
		t.Errorf("the failures are not logged:\n%s", log)
	}
}

// TestLeaseAndRecordEndTogether at every fraction of a second: the record never
// later, and at most a second earlier.
func TestLeaseAndRecordEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/svc", map[string]any{"ttl": 100, "max_ttl": 400})
		for millis := range 40 {
			time.Sleep(time.Duration(millis*25) * time.Millisecond)
			k := m.Must("issue/svc", nil)
			issued := time.Now()
			agree(t, k.Secret.TTL, k.Str("expires_at"))
			k.Secret.IssueTime = issued
			for _, increment := range []time.Duration{0, 10 * time.Second, 350 * time.Second, time.Hour} {
				time.Sleep(time.Duration(1+millis) * 37 * time.Millisecond)
				a := m.Renew(k.Secret, increment)
				if !a.OK() {
					t.Fatalf("renew by %v: %s", increment, a.Text)
				}
				// As core does with what the plugin grants.
				ttl, _, err := framework.CalculateTTL(m.System, increment, a.Secret.TTL, 0, a.Secret.MaxTTL, 0, issued)
				if err != nil {
					t.Fatal(err)
				}
				agree(t, ttl, m.Read("keys/"+k.Str("key_id")).Str("expires_at"))
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
