package e2e

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

func TestAMountThatMovesEndsItsLeasedKeysAndCanStillBeDisabled(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := engineAt(s, s.MountNew(t, harness.Mount{}))
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	e.Write(t, "roles/free", fields{"generate_lease": false})
	leased, renewed, old, free := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "free", nil)
	e.renew(t, renewed.Lease, 0)
	next := e.rotate(t, old.ID, fields{"grace_period": "30m"})
	e.MustCLI(t, "secrets", "move", e.Mount+"/", e.Mount+"-moved/")
	moved := engineAt(s, e.Mount+"-moved")
	harness.Eventually(t, patience, "wait for the mount at its new path", func() error {
		return wantedThat(s.API(t, "GET", moved.path("info"), nil).Status == 200, "it does not answer")
	})
	if left := len(moved.storedLeases(t)) + len(e.storedLeases(t)); left > 0 {
		t.Errorf("%d leases are left", left)
	}
	for _, k := range []key{leased, renewed, old, next} {
		moved.WantCode(t, "revoked", k.Text)
	}
	moved.WantCode(t, "valid", free.Text)
	moved.issue(t, "web", nil)
	e.MustCLI(t, "secrets", "disable", moved.Mount)
	moved.Want(t, 404, "GET", "config", nil)
}

// hangUp sends a write and goes away before it can have been answered. It tells whether it was.
func (e engine) hangUp(t *testing.T, after time.Duration, path, body string) (answered bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.Address()+"/v1/"+e.path(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", e.Token)
	r, err := http.DefaultClient.Do(request)
	if err == nil {
		r.Body.Close()
		return true
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return false
}

// TestAHangUpDuringARotationLeavesTheKeyAsItWas goes away at every moment of a rotation. Where Vault could not register
// the lease any more the old version goes on as it was; where it could, the old one is in its grace. Either way its
// holder is served: that a client never got an answer with a lease Vault cannot know.
func TestAHangUpDuringARotationLeavesTheKeyAsItWas(t *testing.T) {
	t.Parallel()
	e := mountedOn(t, harness.Start(t, harness.Options{Plugin: true, LogLevel: "error"}))
	e.Write(t, "roles/web", fields{"ttl": "1h", "grace_period": "30m"})
	outcomes := map[string]int{}
	for range 5 {
		hungUp := e.hungUp(t, 40)
		time.Sleep(2 * time.Second) // what Vault does then it does at once
		for id, k := range hungUp {
			outcomes[e.outcome(t, id, k)]++
		}
		if outcomes["withdrawn"] > 4 {
			break
		}
	}
	t.Logf("%v", outcomes)
	// An answer that is on its way to Vault is nobody's: the engine has given it, and Vault has hung up on the engine.
	if outcomes["withdrawn"] == 0 || outcomes["lost"] > outcomes["withdrawn"] {
		t.Errorf("rotations that were hung up on: %v", outcomes)
	}
}

// outcome tells what became of a rotation that was hung up on.
func (e engine) outcome(t *testing.T, id string, before key) string {
	t.Helper()
	e.WantCode(t, "valid", before.Text)
	now := e.Read(t, "keys/"+id)
	if surface.Number(t, now, "version") == 2 {
		for _, stored := range e.storedLeases(t) {
			if bytes.Contains(stored, []byte(id)) && bytes.Contains(stored, []byte(`"version":"2"`)) {
				return "rotated"
			}
		}
		return "lost"
	}
	wantSame(t, "a key whose rotation was hung up on", now, before.Data)
	e.renew(t, before.Lease, 0)
	// A number is not given out twice, which tells a withdrawal from a rotation that never was.
	next := e.rotate(t, id, nil)
	e.WantCode(t, "valid", next.Text)
	e.endLease(t, next.Lease)
	e.WantCode(t, "revoked", before.Text)
	if surface.Number(t, next.Data, "version") == 2 {
		return "never was"
	}
	return "withdrawn"
}

// hungUp are new keys whose rotation the client did not wait for, as they were read before, by id.
func (e engine) hungUp(t *testing.T, count int) map[string]key {
	t.Helper()
	pace := e.issue(t, "web", nil)
	begin := time.Now()
	e.rotate(t, pace.ID, nil)
	takes := time.Since(begin)
	keys := map[string]key{}
	for i := range count {
		k := e.issue(t, "web", nil)
		k.Data = e.Read(t, "keys/"+k.ID)
		if !e.hangUp(t, takes/2+takes*time.Duration(i)/time.Duration(count), "rotate/"+k.ID, "{}") {
			keys[k.ID] = k
		}
	}
	return keys
}

func TestABatchTokenIsRefusedALease(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	e.Write(t, "roles/free", fields{"generate_lease": false, "ttl": "1h"})
	k := e.issue(t, "web", nil)
	const policy = `path "*" { capabilities = ["create", "read", "update"] }`
	for _, orphan := range []bool{false, true} {
		batch := e.as(e.TokenWith(t, policy, fields{"type": "batch", "ttl": "20s", "no_parent": orphan}))
		leases := len(e.storedLeases(t))
		for path, body := range map[string]fields{"issue/web": nil, "issue": {"role": "web"}, "rotate/" + k.ID: nil, "rotate": {"key": k.Text}} {
			batch.Refused(t, 400, path, body, "batch token")
		}
		if left := len(e.storedLeases(t)); left != leases {
			t.Errorf("refusals left %d leases", left-leases)
		}
		free := batch.issue(t, "free", nil)
		batch.rotate(t, free.ID, nil)
	}
	surface.WantFields(t, "the key", e.Read(t, "keys/"+k.ID), fields{"version": 1})
	// Every other kind of token holds leases: that of the root, one that is orphaned, periodic or of few uses.
	for _, kind := range []fields{nil, {"no_parent": true}, {"period": "1h"}, {"num_uses": 5}, {"explicit_max_ttl": "10m"}} {
		service := e.as(e.TokenWith(t, policy, kind))
		one := service.issue(t, "web", nil)
		e.wantTogether(t, service.rotate(t, one.ID, nil))
	}
}
