package e2e

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestLeaseAndRecordEndTogetherThroughEachRenewal(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "10m", "max_ttl": "1h"})
	// Several, because what could part them is where in a second each is made.
	for _, body := range []fields{nil, {"ttl": "90s"}, {"ttl": "10s"}, {"ttl": "1h"}, nil, nil} {
		k := e.issue(t, "web", body)
		e.wantTogether(t, k)
		for _, increment := range []int{0, 1800, 30, 10 * 365 * 24 * 3600, 5, 3599, 3600, 0} {
			asked := time.Now().Truncate(time.Second)
			r := e.renew(t, k.Lease, increment)
			answered := time.Now()
			e.wantTogether(t, k)
			end := surface.Moment(t, e.Read(t, "keys/"+k.ID), "expires_at")
			if beyond := end.Sub(surface.Moment(t, k.Data, "created_at")); beyond > time.Hour {
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
	e.Write(t, "roles/web", fields{"ttl": "10m", "max_ttl": "1h"})
	k := e.issue(t, "web", fields{"ttl": "20m"})
	if r := e.renew(t, k.Lease, 60); !about(r.seconds, 60) {
		t.Fatalf("the lease has %d s", r.seconds)
	}
	if r := e.renew(t, k.Lease, 0); !about(r.seconds, 1200) {
		t.Errorf("a renewal without increment makes a lease of %d s, wanted 1200", r.seconds)
	}
	// The role is looked up at each renewal.
	e.Write(t, "roles/web", fields{"ttl": "5m", "max_ttl": "15m"})
	if r := e.renew(t, k.Lease, 3600); r.seconds > 900 {
		t.Errorf("under a lowered max_ttl a renewal makes a lease of %d s", r.seconds)
	}
	e.wantTogether(t, k)
	if k := e.issue(t, "web", fields{"ttl": "15m"}); e.renew(t, k.Lease, 10*365*24*3600).seconds > 900 {
		t.Error("ten years went beyond max_ttl")
	}
}

func TestARenewalToAnEarlierTimeEndsTheKeyThen(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	k := e.issue(t, "web", nil)
	e.renew(t, k.Lease, 5)
	e.wantTogether(t, k)
	e.eventuallyCode(t, "expired", k.Text)
	e.eventuallyNoLease(t, k.Lease)
	// The lease's end found the key ended already, and wrote nothing over that.
	surface.WantFields(t, "keys/:key_id", e.Read(t, "keys/"+k.ID), fields{"status": "expired", "revoked_at": "", "revoke_reason": ""})
}

func TestALeaseHoldsTheKeyUntilTheFirstRenewal(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h"})
	k, other := e.issue(t, "web", nil), e.issue(t, "web", nil)
	next := e.rotate(t, k.ID, fields{"grace_period": "1h"})
	for _, k := range []key{k, other, next} {
		if !e.leaseHolds(t, k) {
			t.Error("the lease does not hold the key's text before a renewal, which the documentation says it does")
		}
	}
	e.renew(t, next.Lease, 0)
	e.renew(t, k.Lease, 0) // in grace
	if e.leaseHolds(t, next) || e.leaseHolds(t, k) {
		t.Error("the lease holds the key's text after a renewal")
	}
	if !e.leaseHolds(t, other) {
		t.Error("another lease lost its text")
	}
	e.endLease(t, other.Lease)
	if _, left := e.storedLeases(t)[other.Lease]; left {
		t.Error("an ended lease is still stored")
	}
}

func TestTheEndOfTheIssuingTokenEndsLeasedKeysOnly(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/leased", nil)
	e.Write(t, "roles/free", fields{"generate_lease": false})
	policy := `path "` + e.Mount + `/*" { capabilities = ["update"] }`
	for what, c := range map[string]struct {
		parameters fields
		revoke     bool
	}{
		"a token that expires":    {parameters: fields{"explicit_max_ttl": "8s"}},
		"a token that is revoked": {parameters: fields{"ttl": "1h"}, revoke: true},
	} {
		token := e.TokenWith(t, policy, c.parameters)
		leased, free := e.as(token).issue(t, "leased", nil), e.as(token).issue(t, "free", nil)
		e.WantCode(t, "valid", leased.Text)
		if c.revoke {
			e.Expect(t, 204, "POST", "auth/token/revoke", fields{"token": token})
		}
		e.eventuallyCode(t, "revoked", leased.Text)
		e.WantCode(t, "valid", free.Text)
		if reason, _ := e.Read(t, "keys/"+leased.ID)["revoke_reason"].(string); !strings.Contains(reason, "lease") {
			t.Errorf("%s: the reason is %q", what, reason)
		}
	}
}

func TestADisabledKeyRenewsAndOneThatHasEndedDoesNot(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	k, revoked, removed := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil)
	e.Write(t, "keys/"+k.ID, fields{"disabled": true})
	e.renew(t, k.Lease, 600)
	e.wantTogether(t, k)
	e.Write(t, "keys/"+k.ID, fields{"disabled": false})
	e.Write(t, "roles/web", fields{"disabled": true})
	e.renew(t, k.Lease, 1200)
	e.wantTogether(t, k)
	e.WantCode(t, "disabled", k.Text)
	e.Write(t, "roles/web", fields{"disabled": false})
	e.WantCode(t, "valid", k.Text)

	before := e.Write(t, "revoke/"+revoked.ID, fields{"reason": "leaked"})
	e.Want(t, 204, "DELETE", "keys/"+removed.ID, nil)
	for _, k := range []key{revoked, removed} {
		if why := e.renewalRefused(t, k.Lease); strings.Contains(why, k.Text) || strings.Contains(why, "&logical") {
			t.Errorf("the refusal is %q", why)
		}
		e.endLease(t, k.Lease)
	}
	wantSame(t, "the revoked key after the end of its lease", e.Read(t, "keys/"+revoked.ID), before)
	e.Want(t, 404, "GET", "keys/"+removed.ID, nil)
}
