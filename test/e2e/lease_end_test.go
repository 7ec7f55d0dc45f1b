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
)

func TestAMountThatMovesEndsItsLeasedKeysAndCanStillBeDisabled(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := engine{s, s.MountNew(t, harness.Mount{})}
	e.write(t, "roles/web", fields{"ttl": "1h"})
	e.write(t, "roles/free", fields{"generate_lease": false})
	leased, renewed, old, free := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "free", nil)
	e.renew(t, renewed.lease, 0)
	next := e.rotate(t, old.id, fields{"grace_period": "30m"})
	e.MustCLI(t, "secrets", "move", e.mount+"/", e.mount+"-moved/")
	moved := engine{s, e.mount + "-moved"}
	harness.Eventually(t, patience, "wait for the mount at its new path", func() error {
		return wantedThat(s.API(t, "GET", moved.path("info"), nil).Status == 200, "it does not answer")
	})
	if left := len(moved.storedLeases(t)) + len(e.storedLeases(t)); left > 0 {
		t.Errorf("%d leases are left", left)
	}
	for _, k := range []key{leased, renewed, old, next} {
		moved.wantCode(t, "revoked", k.text)
	}
	moved.wantCode(t, "valid", free.text)
	moved.issue(t, "web", nil)
	e.MustCLI(t, "secrets", "disable", moved.mount)
	moved.ask(t, 404, "GET", "config", nil)
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
	e.write(t, "roles/web", fields{"ttl": "1h", "grace_period": "30m"})
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
	e.wantCode(t, "valid", before.text)
	now := e.read(t, "keys/"+id)
	if number(t, now, "version") == 2 {
		for _, stored := range e.storedLeases(t) {
			if bytes.Contains(stored, []byte(id)) && bytes.Contains(stored, []byte(`"version":"2"`)) {
				return "rotated"
			}
		}
		return "lost"
	}
	wantSame(t, "a key whose rotation was hung up on", now, before.data)
	e.renew(t, before.lease, 0)
	// A number is not given out twice, which tells a withdrawal from a rotation that never was.
	next := e.rotate(t, id, nil)
	e.wantCode(t, "valid", next.text)
	e.endLease(t, next.lease)
	e.wantCode(t, "revoked", before.text)
	if number(t, next.data, "version") == 2 {
		return "never was"
	}
	return "withdrawn"
}

// hungUp are new keys whose rotation the client did not wait for, as they were read before, by id.
func (e engine) hungUp(t *testing.T, count int) map[string]key {
	t.Helper()
	pace := e.issue(t, "web", nil)
	begin := time.Now()
	e.rotate(t, pace.id, nil)
	takes := time.Since(begin)
	keys := map[string]key{}
	for i := range count {
		k := e.issue(t, "web", nil)
		k.data = e.read(t, "keys/"+k.id)
		if !e.hangUp(t, takes/2+takes*time.Duration(i)/time.Duration(count), "rotate/"+k.id, "{}") {
			keys[k.id] = k
		}
	}
	return keys
}

func TestABatchTokenIsRefusedALease(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h"})
	e.write(t, "roles/free", fields{"generate_lease": false, "ttl": "1h"})
	k := e.issue(t, "web", nil)
	const policy = `path "*" { capabilities = ["create", "read", "update"] }`
	for _, orphan := range []bool{false, true} {
		batch := e.as(e.TokenWith(t, policy, fields{"type": "batch", "ttl": "20s", "no_parent": orphan}))
		leases := len(e.storedLeases(t))
		for path, body := range map[string]fields{"issue/web": nil, "issue": {"role": "web"}, "rotate/" + k.id: nil, "rotate": {"key": k.text}} {
			batch.refused(t, 400, path, body, "batch token")
		}
		if left := len(e.storedLeases(t)); left != leases {
			t.Errorf("refusals left %d leases", left-leases)
		}
		free := batch.issue(t, "free", nil)
		batch.rotate(t, free.id, nil)
	}
	wantFields(t, "the key", e.read(t, "keys/"+k.id), fields{"version": 1})
	// Every other kind of token holds leases: that of the root, one that is orphaned, periodic or of few uses.
	for _, kind := range []fields{nil, {"no_parent": true}, {"period": "1h"}, {"num_uses": 5}, {"explicit_max_ttl": "10m"}} {
		service := e.as(e.TokenWith(t, policy, kind))
		one := service.issue(t, "web", nil)
		e.wantTogether(t, service.rotate(t, one.id, nil))
	}
}
