package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

func TestASupersededVersionsLeaseGoesToTheEndOfItsGraceAndNoFurther(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h"})
	for _, increment := range []int{0, 10 * 365 * 24 * 3600} {
		one := e.issue(t, "web", nil)
		two := e.rotate(t, one.id, fields{"grace_period": "5m"})
		r := e.renew(t, one.lease, increment)
		if r.renewable || r.seconds > 300 || r.seconds < 290 {
			t.Errorf("with an increment of %d: renewable is %v, the lease has %d s; wanted the rest of a grace of 300 s", increment, r.renewable, r.seconds)
		}
		e.wantEndTogether(t, "valid_until", moment(t, versions(e.read(t, "keys/"+one.id))[1], "valid_until"), one.lease)
		if why := e.renewalRefused(t, one.lease); !strings.Contains(why, "not renewable") {
			t.Errorf("the second renewal is refused with %q", why)
		}
		e.wantTogether(t, two)
		e.wantCode(t, "valid", one.text)
		e.endLease(t, one.lease)
		e.wantCode(t, "superseded", one.text)
		e.wantCode(t, "valid", two.text)
		if r := e.renew(t, two.lease, 0); !r.renewable || !about(r.seconds, 3600) {
			t.Errorf("the new version's lease renews to %d s, renewable %v", r.seconds, r.renewable)
		}
	}
}

func TestTheEndOfAGraceTouchesTheNewVersionInNoWay(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h"})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.id, fields{"grace_period": 6})
	e.renew(t, one.lease, 0)
	before := e.read(t, "keys/"+one.id)
	e.eventuallyNoLease(t, one.lease)
	e.wantCode(t, "superseded", one.text)
	e.wantCode(t, "valid", two.text)
	wantSame(t, "the key after the old lease's end", e.read(t, "keys/"+one.id), before)

	// The same where the old lease outlives its version.
	three := e.rotate(t, one.id, fields{"grace_period": 0})
	e.renewalRefused(t, two.lease)
	e.endLease(t, two.lease)
	e.wantCode(t, "superseded", two.text)
	e.wantCode(t, "valid", three.text)
}

func TestTheEndOfTheNewestVersionEndsTheKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h"})
	one := e.issue(t, "web", nil)
	two := e.rotate(t, one.id, fields{"grace_period": "30m"})
	e.wantCode(t, "valid", one.text)
	e.endLease(t, two.lease)
	e.wantCode(t, "revoked", two.text)
	e.wantCode(t, "revoked", one.text)
	e.renewalRefused(t, one.lease)

	one = e.issue(t, "web", nil)
	two = e.rotate(t, one.id, fields{"grace_period": "30m", "ttl": 5})
	e.wantCode(t, "valid", one.text)
	e.eventuallyCode(t, "expired", two.text)
	e.wantCode(t, "expired", one.text)
	e.renewalRefused(t, one.lease)
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
	month := e.ask(t, http.StatusOK, "POST", "roles/long", fields{"ttl": "31d"})
	warned("a role with leases of 31 days", warnings(month), "30 days")
	warned("the same without lease", warnings(e.ask(t, http.StatusOK, "POST", "roles/long", fields{"generate_lease": false})), "")
	warned("30 days", warnings(e.ask(t, http.StatusOK, "POST", "roles/other", fields{"ttl": "30d"})), "")

	e.write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h", "grace_period": "1h"})
	warned("a usual key", e.issue(t, "web", nil).warnings, "")
	capped := e.issue(t, "web", fields{"ttl": "3h"})
	warned("a ttl beyond max_ttl", capped.warnings, "shortened")
	if !about(capped.seconds, 7200) {
		t.Errorf("the lease has %d s", capped.seconds)
	}
	wantFields(t, "what was asked for", e.read(t, "keys/"+capped.id), fields{"ttl": 10800})

	k := e.issue(t, "web", nil)
	next := e.rotate(t, k.id, nil)
	warned("a usual rotation", next.warnings, "")
	warned("a rotation with a short grace", e.rotate(t, k.id, fields{"grace_period": "39m59s"}).warnings, "two thirds")
	warned("a rotation with two thirds", e.rotate(t, k.id, fields{"grace_period": "40m"}).warnings, "")
	other := e.as(e.TokenWith(t, `path "`+e.mount+`/*" { capabilities = ["update"] }`, nil))
	warned("another token's rotation", other.rotate(t, k.id, nil).warnings, "token")
	warned("and its next", other.rotate(t, k.id, nil).warnings, "")
}

func TestAKeyBecomesLeasedOrUnleasedByItsRole(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h"})
	one := e.issue(t, "web", nil)
	e.write(t, "roles/web", fields{"generate_lease": false})
	two := e.rotate(t, one.id, nil)
	wantShape(t, "unleased", two.data, unleasedShape.with(previousShape))
	e.endLease(t, one.lease)
	e.wantCode(t, "valid", two.text)
	e.write(t, "roles/web", fields{"generate_lease": true})
	three := e.rotate(t, one.id, nil)
	wantShape(t, "leased", three.data, leasedShape.with(previousShape))
	e.wantTogether(t, three)
	e.endLease(t, three.lease)
	e.wantCode(t, "revoked", two.text)
}

func TestTheMountsOwnLimitsHoldWhereTheRoleHasNone(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := engine{s, s.MountNew(t, harness.Mount{DefaultTTL: "20m", MaxTTL: "30m"})}
	e.write(t, "roles/web", nil)
	k := e.issue(t, "web", nil)
	if life := moment(t, k.data, "expires_at").Sub(moment(t, k.data, "created_at")); life != 20*time.Minute || !about(k.seconds, 1200) {
		t.Errorf("the key lives for %s, its lease for %d s", life, k.seconds)
	}
	if long := e.issue(t, "web", fields{"ttl": "1h"}); !about(long.seconds, 1800) || !strings.Contains(long.warnings, "shortened") {
		t.Errorf("the lease has %d s, the warning is %q", long.seconds, long.warnings)
	}
	if r := e.renew(t, k.lease, 10*365*24*3600); r.seconds > 1800 {
		t.Errorf("a renewal makes a lease of %d s", r.seconds)
	}
	e.wantTogether(t, k)
	e.Expect(t, 204, "POST", "sys/mounts/"+e.mount+"/tune", fields{"max_lease_ttl": "10m", "default_lease_ttl": "5m"})
	if r := e.renew(t, k.lease, 0); r.seconds > 600 {
		t.Errorf("under the mount's new maximum a renewal makes a lease of %d s", r.seconds)
	}
	e.wantTogether(t, k)
}

func TestAMountWithLiveLeasesCanBeDisabled(t *testing.T) {
	t.Parallel()
	s := servers.Server(t)
	e := engine{s, s.MountNew(t, harness.Mount{})}
	e.write(t, "roles/web", nil)
	var k key
	for range 5 {
		k = e.issue(t, "web", nil)
	}
	e.renew(t, k.lease, 0)
	e.rotate(t, k.id, nil)
	e.write(t, "revoke/"+k.id, nil)
	e.MustCLI(t, "secrets", "disable", e.mount)
	e.ask(t, 404, "GET", "config", nil)
	if left := e.storedLeases(t); len(left) > 0 {
		t.Errorf("%d leases are left", len(left))
	}
	// An engine of the same name knows none of the old keys.
	e.Mount(t, e.mount, harness.Mount{})
	e.wantCode(t, "invalid", k.text)
}
