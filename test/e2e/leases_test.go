package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// Vault's side of a key: what it says of a lease, and what it has stored of it.

func leaseSeconds(t *testing.T, r harness.Response) int {
	t.Helper()
	return surface.Number(t, r.JSON, "lease_duration")
}

// about tells whether a lease has this duration. Vault counts it from when it got the answer, which may be in the
// second after the record was dated, or under load the one after that.
func about(seconds, wanted int) bool { return seconds <= wanted && seconds >= wanted-2 }

// renewed is Vault's answer to a renewal.
type renewed struct {
	seconds   int
	renewable bool
	warnings  string
}

// renew renews a lease; an increment of 0 is none.
func (e engine) renew(t *testing.T, lease string, increment int) renewed {
	t.Helper()
	r := e.Expect(t, http.StatusOK, "PUT", "sys/leases/renew", renewal(lease, increment))
	return renewed{leaseSeconds(t, r), r.JSON["renewable"] == true, surface.Warnings(r)}
}

// renewalRefused is a renewal that must not work. It answers why.
func (e engine) renewalRefused(t *testing.T, lease string) string {
	t.Helper()
	return e.Expect(t, http.StatusBadRequest, "PUT", "sys/leases/renew", renewal(lease, 0)).Errors()
}

func renewal(lease string, increment int) fields {
	body := fields{"lease_id": lease}
	if increment > 0 {
		body["increment"] = increment
	}
	return body
}

// endLease revokes a lease and waits for that.
func (e engine) endLease(t *testing.T, lease string) {
	t.Helper()
	e.Expect(t, http.StatusNoContent, "PUT", "sys/leases/revoke", fields{"lease_id": lease, "sync": true})
}

// leaseEnd is when the lease expires, by Vault's own account.
func (e engine) leaseEnd(t *testing.T, lease string) time.Time {
	t.Helper()
	d := e.Expect(t, http.StatusOK, "PUT", "sys/leases/lookup", fields{"lease_id": lease}).Data()
	text, _ := d["expire_time"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("the lease's expire_time is %q: %v", text, err)
	}
	return at
}

// eventuallyNoLease waits for Vault to have ended a lease by itself.
func (e engine) eventuallyNoLease(t *testing.T, lease string) {
	t.Helper()
	harness.Eventually(t, patience, "wait for the lease to end", func() error {
		if r := e.API(t, "PUT", "sys/leases/lookup", fields{"lease_id": lease}); r.Status != http.StatusBadRequest {
			return fmt.Errorf("its lookup answers %d", r.Status)
		}
		return nil
	})
}

// storedLeases are the mount's leases as they lie in storage, by lease id.
func (e engine) storedLeases(t *testing.T) map[string][]byte {
	t.Helper()
	const root = "sys/expire/id/"
	leases := map[string][]byte{}
	e.WalkRaw(t, root+e.Mount+"/", func(path string, value []byte) { leases[path[len(root):]] = value })
	return leases
}

// leaseHolds tells whether the stored lease has the key's text.
func (e engine) leaseHolds(t *testing.T, k key) bool {
	t.Helper()
	stored, found := e.storedLeases(t)[k.Lease]
	if !found {
		t.Fatal("the lease is not in storage")
	}
	return bytes.Contains(stored, []byte(k.Text))
}

// wantTogether checks that record and lease of a key's newest version end together: within a second, and the record
// never later than the lease.
func (e engine) wantTogether(t *testing.T, k key) {
	t.Helper()
	e.wantEndTogether(t, "expires_at", surface.Moment(t, e.Read(t, "keys/"+k.ID), "expires_at"), k.Lease)
}

func (e engine) wantEndTogether(t *testing.T, what string, record time.Time, lease string) {
	t.Helper()
	if later := e.leaseEnd(t, lease).Sub(record); later < 0 || later > time.Second {
		t.Errorf("the lease ends %s after %s, wanted 0 to 1 s", later, what)
	}
}
