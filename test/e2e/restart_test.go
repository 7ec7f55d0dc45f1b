package e2e

import (
	"errors"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// survivors are keys in every state, with what each must answer from then on.
type survivors struct {
	engine
	wanted map[string]string // text → code
	leases []key
	reads  map[string]fields // id → read
}

func (e engine) survivors(t *testing.T) survivors {
	t.Helper()
	e.Write(t, "roles/leased", fields{"ttl": "1h"})
	e.Write(t, "roles/free", fields{"generate_lease": false})
	s := survivors{e, map[string]string{}, nil, map[string]fields{}}
	for _, role := range []string{"leased", "free"} {
		valid, disabled, revoked, rotated := e.issue(t, role, fields{"owner": "acme"}), e.issue(t, role, nil), e.issue(t, role, nil), e.issue(t, role, nil)
		e.Write(t, "keys/"+disabled.ID, fields{"disabled": true})
		e.Write(t, "revoke/"+revoked.ID, fields{"reason": "leaked"})
		inGrace := e.rotate(t, rotated.ID, fields{"grace_period": 0})
		newest := e.rotate(t, rotated.ID, fields{"grace_period": "30m"})
		for code, keys := range map[string][]key{
			"valid": {valid, inGrace, newest}, "disabled": {disabled}, "revoked": {revoked}, "superseded": {rotated},
		} {
			for _, k := range keys {
				s.wanted[k.Text] = code
			}
		}
		for _, k := range []key{valid, disabled, revoked, rotated} {
			s.reads[k.ID] = e.Read(t, "keys/"+k.ID)
		}
		if role == "leased" {
			s.leases = []key{valid, newest}
		}
	}
	return s
}

func (s survivors) check(t *testing.T) {
	t.Helper()
	for text, code := range s.wanted {
		s.WantCode(t, code, text)
	}
	for id, before := range s.reads {
		wantSame(t, "a read", s.Read(t, "keys/"+id), before)
	}
}

func TestWhatWasAnsweredHoldsThroughRestartsSealsReloadsAndKills(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, server)
	s := e.survivors(t)
	s.check(t)
	events := []struct {
		name   string
		happen func()
	}{
		{"a kill of the plugin", func() { e.KillPlugin(t) }},
		{"a reload of the plugin", func() { server.Reload(t) }},
		{"a restart", func() { server.Restart(t) }},
		{"a seal", func() { server.Seal(t); server.Unseal(t) }},
		{"a kill of the server", func() { server.Kill(t); server.Launch(t); server.Unseal(t) }},
	}
	for _, event := range events {
		last := e.issue(t, "free", nil)
		ended := e.issue(t, "free", nil)
		e.Write(t, "revoke/"+ended.ID, nil)
		event.happen()
		// First what was answered last: nothing else has woken the mount yet.
		e.WantCode(t, "revoked", ended.Text)
		e.WantCode(t, "valid", last.Text)
		s.check(t)
		if t.Failed() {
			t.Fatalf("after %s", event.name)
		}
	}
	for _, k := range s.leases {
		e.renew(t, k.Lease, 600)
		e.wantTogether(t, k)
	}
	for _, k := range s.leases {
		e.endLease(t, k.Lease)
		e.WantCode(t, "revoked", k.Text)
	}
}

func TestAKeyThatExpiredWhileSealedIsRefusedAtTheFirstVerify(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, server)
	e.Write(t, "roles/leased", nil)
	e.Write(t, "roles/free", fields{"generate_lease": false})
	leased, free := e.issue(t, "leased", fields{"ttl": 6}), e.issue(t, "free", fields{"ttl": 6})
	rotated := e.issue(t, "free", nil)
	newest := e.rotate(t, rotated.ID, fields{"grace_period": 6})
	for _, k := range []key{leased, free, rotated, newest} {
		e.WantCode(t, "valid", k.Text)
	}
	server.Seal(t)
	end := surface.Moment(t, newest.Data, "previous_valid_until")
	harness.Eventually(t, patience, "wait for the keys to expire", func() error {
		if time.Now().Before(end) {
			return errors.New("they have time left")
		}
		return nil
	})
	server.Unseal(t)
	e.WantCode(t, "expired", leased.Text)
	e.WantCode(t, "expired", free.Text)
	e.WantCode(t, "superseded", rotated.Text)
	e.WantCode(t, "valid", newest.Text)
	// Vault gets to the lease later, and its end changes nothing.
	e.eventuallyNoLease(t, leased.Lease)
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+leased.ID), fields{"status": "expired", "revoked_at": ""})
}

func TestAKeyWhoseRoleIsGoneFromStorageStaysRevoked(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, server)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	k, other := e.issue(t, "web", nil), e.issue(t, "web", nil)
	// Storage as a fault may leave it: the records live, their role does not, then another has its name.
	uuid, _ := e.Expect(t, 200, "GET", "sys/mounts/"+e.Mount, nil).Data()["uuid"].(string)
	e.Expect(t, 204, "DELETE", "sys/raw/logical/"+uuid+"/role/web", nil)
	server.Reload(t)
	e.WantCode(t, "revoked", k.Text)
	e.renewalRefused(t, k.Lease)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	e.WantCode(t, "revoked", k.Text)
	e.renewalRefused(t, k.Lease)
	e.Refused(t, 409, "rotate/"+k.ID, nil)
	e.endLease(t, k.Lease)
	// Tidy writes down what no clock tells: when the role's end reached a key.
	e.tidy(t)
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+other.ID), fields{"status": "revoked", "revoke_reason": "its role was deleted"})
	e.WantCode(t, "valid", e.issue(t, "web", nil).Text)
}
