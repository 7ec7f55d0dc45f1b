package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestLeaseAndRecordEndTogetherThroughEachRenewal(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "10m", "max_ttl": "1h"})
	// Several, because what could part them is where in a second each is made.
	for _, body := range []fields{nil, {"ttl": "90s"}, {"ttl": "10s"}, {"ttl": "1h"}, nil, nil} {
		k := e.issue(t, "web", body)
		e.wantTogether(t, k)
		for _, increment := range []int{0, 1800, 30, 10 * 365 * 24 * 3600, 5, 3599, 3600, 0} {
			asked := time.Now().Truncate(time.Second)
			r := e.renew(t, k.lease, increment)
			answered := time.Now()
			e.wantTogether(t, k)
			end := moment(t, e.read(t, "keys/"+k.id), "expires_at")
			if beyond := end.Sub(moment(t, k.data, "created_at")); beyond > time.Hour {
				t.Fatalf("after an increment of %d s the key lives for %s", increment, beyond)
			}
			earliest, latest := asked.Add(time.Duration(increment)*time.Second), answered.Add(time.Duration(increment)*time.Second)
			if increment > 0 && increment < 3000 && (!about(r.seconds, increment) || end.Before(earliest) || end.After(latest)) {
				t.Errorf("an increment of %d s makes a lease of %d s and a key that ends %s after the request", increment, r.seconds, end.Sub(asked))
			}
			if !r.renewable {
				t.Errorf("after an increment of %d s the lease is not renewable", increment)
			}
		}
	}
}

func TestARenewalWithoutIncrementAsksForTheVersionsOwnLifetime(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "10m", "max_ttl": "1h"})
	k := e.issue(t, "web", fields{"ttl": "20m"})
	if r := e.renew(t, k.lease, 60); !about(r.seconds, 60) {
		t.Fatalf("the lease has %d s", r.seconds)
	}
	if r := e.renew(t, k.lease, 0); !about(r.seconds, 1200) {
		t.Errorf("a renewal without increment makes a lease of %d s, wanted 1200", r.seconds)
	}
	// The role is looked up at each renewal.
	e.write(t, "roles/web", fields{"ttl": "5m", "max_ttl": "15m"})
	if r := e.renew(t, k.lease, 3600); r.seconds > 900 {
		t.Errorf("under a lowered max_ttl a renewal makes a lease of %d s", r.seconds)
	}
	e.wantTogether(t, k)
	if k := e.issue(t, "web", fields{"ttl": "15m"}); e.renew(t, k.lease, 10*365*24*3600).seconds > 900 {
		t.Error("ten years went beyond max_ttl")
	}
}

func TestARenewalToAnEarlierTimeEndsTheKeyThen(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h"})
	k := e.issue(t, "web", nil)
	e.renew(t, k.lease, 5)
	e.wantTogether(t, k)
	e.eventuallyCode(t, "expired", k.text)
	e.eventuallyNoLease(t, k.lease)
	// The lease's end found the key ended already, and wrote nothing over that.
	wantFields(t, "keys/:key_id", e.read(t, "keys/"+k.id), fields{"status": "expired", "revoked_at": "", "revoke_reason": ""})
}

func TestALeaseHoldsTheKeyUntilTheFirstRenewal(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h"})
	k, other := e.issue(t, "web", nil), e.issue(t, "web", nil)
	next := e.rotate(t, k.id, fields{"grace_period": "1h"})
	for _, k := range []key{k, other, next} {
		if !e.leaseHolds(t, k) {
			t.Error("the lease does not hold the key's text before a renewal, which the documentation says it does")
		}
	}
	e.renew(t, next.lease, 0)
	e.renew(t, k.lease, 0) // in grace
	if e.leaseHolds(t, next) || e.leaseHolds(t, k) {
		t.Error("the lease holds the key's text after a renewal")
	}
	if !e.leaseHolds(t, other) {
		t.Error("another lease lost its text")
	}
	e.endLease(t, other.lease)
	if _, left := e.storedLeases(t)[other.lease]; left {
		t.Error("an ended lease is still stored")
	}
}

func TestTheEndOfTheIssuingTokenEndsLeasedKeysOnly(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/leased", nil)
	e.write(t, "roles/free", fields{"generate_lease": false})
	policy := `path "` + e.mount + `/*" { capabilities = ["update"] }`
	for what, c := range map[string]struct {
		parameters fields
		revoke     bool
	}{
		"a token that expires":    {parameters: fields{"explicit_max_ttl": "8s"}},
		"a token that is revoked": {parameters: fields{"ttl": "1h"}, revoke: true},
	} {
		token := e.TokenWith(t, policy, c.parameters)
		leased, free := e.as(token).issue(t, "leased", nil), e.as(token).issue(t, "free", nil)
		e.wantCode(t, "valid", leased.text)
		if c.revoke {
			e.Expect(t, 204, "POST", "auth/token/revoke", fields{"token": token})
		}
		e.eventuallyCode(t, "revoked", leased.text)
		e.wantCode(t, "valid", free.text)
		if reason, _ := e.read(t, "keys/"+leased.id)["revoke_reason"].(string); !strings.Contains(reason, "lease") {
			t.Errorf("%s: the reason is %q", what, reason)
		}
	}
}

func TestADisabledKeyRenewsAndOneThatHasEndedDoesNot(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.write(t, "roles/web", fields{"ttl": "1h"})
	k, revoked, removed := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil)
	e.write(t, "keys/"+k.id, fields{"disabled": true})
	e.renew(t, k.lease, 600)
	e.wantTogether(t, k)
	e.write(t, "keys/"+k.id, fields{"disabled": false})
	e.write(t, "roles/web", fields{"disabled": true})
	e.renew(t, k.lease, 1200)
	e.wantTogether(t, k)
	e.wantCode(t, "disabled", k.text)
	e.write(t, "roles/web", fields{"disabled": false})
	e.wantCode(t, "valid", k.text)

	before := e.write(t, "revoke/"+revoked.id, fields{"reason": "leaked"})
	e.ask(t, 204, "DELETE", "keys/"+removed.id, nil)
	for _, k := range []key{revoked, removed} {
		if why := e.renewalRefused(t, k.lease); strings.Contains(why, k.text) || strings.Contains(why, "&logical") {
			t.Errorf("the refusal is %q", why)
		}
		e.endLease(t, k.lease)
	}
	wantSame(t, "the revoked key after the end of its lease", e.read(t, "keys/"+revoked.id), before)
	e.ask(t, 404, "GET", "keys/"+removed.id, nil)
}
