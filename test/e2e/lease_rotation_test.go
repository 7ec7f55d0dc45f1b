package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

func TestASupersededVersionsLeaseGoesToTheEndOfItsGraceAndNoFurther(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h"})
	for _, increment := range []int{0, 10 * 365 * 24 * 3600} {
		one := e.issue(t, "web", nil)
		two := e.rotate(t, one.ID, fields{"grace_period": "5m"})
		r := e.renew(t, one.Lease, increment)
		if r.renewable || r.seconds > 300 || r.seconds < 290 {
			t.Errorf("with an increment of %d: renewable is %v, the lease has %d s; wanted the rest of a grace of 300 s", increment, r.renewable, r.seconds)
		}
		e.wantEndTogether(t, "valid_until", surface.Moment(t, versions(e.Read(t, "keys/"+one.ID))[1], "valid_until"), one.Lease)
		if why := e.renewalRefused(t, one.Lease); !strings.Contains(why, "not renewable") {
			t.Errorf("the second renewal is refused with %q", why)
		}
		e.wantTogether(t, two)
		e.WantCode(t, "valid", one.Text)
		e.endLease(t, one.Lease)
		e.WantCode(t, "superseded", one.Text)
		e.WantCode(t, "valid", two.Text)
		if r := e.renew(t, two.Lease, 0); !r.renewable || !about(r.seconds, 3600) {
			t.Errorf("the new version's lease renews to %d s, renewable %v", r.seconds, r.renewable)
		}
	}
}

func TestTheEndOfAGraceTouchesTheNewVersionInNoWay(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.ID, fields{"grace_period": 6})
	e.renew(t, one.Lease, 0)
	before := e.Read(t, "keys/"+one.ID)
	e.eventuallyNoLease(t, one.Lease)
	e.WantCode(t, "superseded", one.Text)
	e.WantCode(t, "valid", two.Text)
	wantSame(t, "the key after the old lease's end", e.Read(t, "keys/"+one.ID), before)

	// The same where the old lease outlives its version.
	three := e.rotate(t, one.ID, fields{"grace_period": 0})
	e.renewalRefused(t, two.Lease)
	e.endLease(t, two.Lease)
	e.WantCode(t, "superseded", two.Text)
	e.WantCode(t, "valid", three.Text)
}

func TestTheEndOfTheNewestVersionEndsTheKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.ID, fields{"grace_period": "30m"})
	e.WantCode(t, "valid", one.Text)
	e.endLease(t, two.Lease)
	e.WantCode(t, "revoked", two.Text)
	e.WantCode(t, "revoked", one.Text)
	e.renewalRefused(t, one.Lease)

	one = e.issue(t, "web", nil)
	two = e.rotate(t, one.ID, fields{"grace_period": "30m", "ttl": 5})
	e.WantCode(t, "valid", one.Text)
	e.eventuallyCode(t, "expired", two.Text)
	e.WantCode(t, "expired", one.Text)
	e.renewalRefused(t, one.Lease)
}

func TestWarningsSayWhatACallerShouldKnow(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	warned := func(what, got, word string) {
		t.Helper()
		if (word == "") != (got == "") || !strings.Contains(got, word) {
			t.Errorf("%s: the warning is %q, wanted one with %q", what, got, word)
		}
	}
	month := e.Want(t, http.StatusOK, "POST", "roles/long", fields{"ttl": "31d"})
	warned("a role with leases of 31 days", surface.Warnings(month), "30 days")
	warned("the same without lease", surface.Warnings(e.Want(t, http.StatusOK, "POST", "roles/long", fields{"generate_lease": false})), "")
	warned("30 days", surface.Warnings(e.Want(t, http.StatusOK, "POST", "roles/other", fields{"ttl": "30d"})), "")

	e.Write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h", "grace_period": "1h"})
	warned("a usual key", e.issue(t, "web", nil).Warnings, "")
	capped := e.issue(t, "web", fields{"ttl": "3h"})
	warned("a ttl beyond max_ttl", capped.Warnings, "shortened")
	if !about(capped.Seconds, 7200) {
		t.Errorf("the lease has %d s", capped.Seconds)
	}
	surface.WantFields(t, "what was asked for", e.Read(t, "keys/"+capped.ID), fields{"ttl": 10800})

	k := e.issue(t, "web", nil)
	next := e.rotate(t, k.ID, nil)
	warned("a usual rotation", next.Warnings, "")
	warned("a rotation with a short grace", e.rotate(t, k.ID, fields{"grace_period": "39m59s"}).Warnings, "two thirds")
	warned("a rotation with two thirds", e.rotate(t, k.ID, fields{"grace_period": "40m"}).Warnings, "")
	other := e.as(e.TokenWith(t, `path "`+e.Mount+`/*" { capabilities = ["update"] }`, nil))
	warned("another token's rotation", other.rotate(t, k.ID, nil).Warnings, "token")
	warned("and its next", other.rotate(t, k.ID, nil).Warnings, "")
}

func TestAKeyBecomesLeasedOrUnleasedByItsRole(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	one := e.issue(t, "web", nil)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	two := e.rotate(t, one.ID, nil)
	wantShape(t, "unleased", two.Data, unleasedShape.with(previousShape))
	e.endLease(t, one.Lease)
	e.WantCode(t, "valid", two.Text)
	e.Write(t, "roles/web", fields{"generate_lease": true})
	three := e.rotate(t, one.ID, nil)
	wantShape(t, "leased", three.Data, leasedShape.with(previousShape))
	e.wantTogether(t, three)
	e.endLease(t, three.Lease)
	e.WantCode(t, "revoked", two.Text)
}

func TestTheMountsOwnLimitsHoldWhereTheRoleHasNone(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := engineAt(s, s.MountNew(t, harness.Mount{DefaultTTL: "20m", MaxTTL: "30m"}))
	e.Write(t, "roles/web", nil)
	k := e.issue(t, "web", nil)
	if life := surface.Moment(t, k.Data, "expires_at").Sub(surface.Moment(t, k.Data, "created_at")); life != 20*time.Minute || !about(k.Seconds, 1200) {
		t.Errorf("the key lives for %s, its lease for %d s", life, k.Seconds)
	}
	if long := e.issue(t, "web", fields{"ttl": "1h"}); !about(long.Seconds, 1800) || !strings.Contains(long.Warnings, "shortened") {
		t.Errorf("the lease has %d s, the warning is %q", long.Seconds, long.Warnings)
	}
	if r := e.renew(t, k.Lease, 10*365*24*3600); r.seconds > 1800 {
		t.Errorf("a renewal makes a lease of %d s", r.seconds)
	}
	e.wantTogether(t, k)
	e.Expect(t, 204, "POST", "sys/mounts/"+e.Mount+"/tune", fields{"max_lease_ttl": "10m", "default_lease_ttl": "5m"})
	if r := e.renew(t, k.Lease, 0); r.seconds > 600 {
		t.Errorf("under the mount's new maximum a renewal makes a lease of %d s", r.seconds)
	}
	e.wantTogether(t, k)
}

func TestAMountWithLiveLeasesCanBeDisabled(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := engineAt(s, s.MountNew(t, harness.Mount{}))
	e.Write(t, "roles/web", nil)
	var k key
	for range 5 {
		k = e.issue(t, "web", nil)
	}
	e.renew(t, k.Lease, 0)
	e.rotate(t, k.ID, nil)
	e.Write(t, "revoke/"+k.ID, nil)
	e.MustCLI(t, "secrets", "disable", e.Mount)
	e.Want(t, 404, "GET", "config", nil)
	if left := e.storedLeases(t); len(left) > 0 {
		t.Errorf("%d leases are left", len(left))
	}
	// An engine of the same name knows none of the old keys.
	e.Server.Mount(t, e.Mount, harness.Mount{})
	e.WantCode(t, "invalid", k.Text)
}
