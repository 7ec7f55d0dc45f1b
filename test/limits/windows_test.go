package limits

import (
	"testing"
	"time"
)

func TestAQuotaRefillsWithEachWindowFromTheKeysCreation(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	const period = 4 * time.Second
	k := e.issue(t, fields{"quota": 3, "quota_period": "4s"})
	created := moment(t, k.data, "created_at")
	next := e.rotate(t, k, nil) // windows go on through rotations
	for range 3 {
		// A window's first moment leaves the most time to look at it.
		window := time.Since(created)/period + 1
		sleepUntil(created.Add(window * period))
		for i, r := range e.batch(t, "verify", repeat(fields{"key": next.text}, 5)...) {
			if time.Since(created) >= (window+1)*period {
				t.Log("the machine was too slow for this window")
				break
			}
			if r["valid"] != (i < 3) {
				t.Errorf("verification %d of a window answers %v", i+1, r["code"])
			}
			wantFields(t, "in a window", r, fields{"quota_resets_at": created.Add((window + 1) * period)})
			if i >= 3 {
				wantBetween(t, r, "retry_after", 1, int(period.Seconds()))
			}
		}
	}
	sleepUntil(created.Add((time.Since(created)/period + 1) * period))
	wantFields(t, "a read in a new window", e.read(t, "keys/"+k.id), fields{"quota_remaining": 3})
}

func TestAReadShowsWhatIsLeftOfTheQuota(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 100, "quota_period": "24h"})
	wantFields(t, "unused", e.read(t, "keys/"+k.id), fields{
		"quota": 100, "quota_period": 86400, "quota_remaining": 100, "quota_resets_at": moment(t, k.data, "created_at").Add(24 * time.Hour),
	})
	e.wantCode(t, "valid", k.text, fields{"cost": 33})
	wantFields(t, "used", e.read(t, "keys/"+k.id), fields{"quota_remaining": 67})
	forLife := e.issue(t, fields{"quota": 7})
	wantFields(t, "for life", e.read(t, "keys/"+forLife.id), fields{"quota_remaining": 7, "quota_resets_at": ""})
	wantFields(t, "without", e.read(t, "keys/"+e.issue(t, nil).id), fields{"quota_remaining": absent, "quota_resets_at": absent})
}

func TestAChangeOfLimitsKeepsWhatWasSpent(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 100, "rate_limit": 100, "rate_limit_period": "24h"})
	e.wantCode(t, "valid", k.text, fields{"cost": 40})
	for _, c := range []struct{ quota, remaining int }{{50, 10}, {41, 1}, {40, 0}, {30, 0}, {0, -1}, {45, 5}, {1000, 960}, {100, 60}} {
		d := e.change(t, k, fields{"quota": c.quota})
		if c.quota == 0 {
			wantFields(t, "no quota", e.wantCode(t, "valid", k.text, fields{"cost": 0}), fields{"quota": absent, "quota_remaining": absent})
			continue
		}
		wantFields(t, "the update", d, fields{"quota": c.quota, "quota_remaining": c.remaining})
		wantFields(t, "verify", e.verify(t, k.text, fields{"cost": 0}), fields{"quota": c.quota, "quota_remaining": c.remaining})
		if c.remaining == 0 {
			e.wantCode(t, "quota_exceeded", k.text)
		}
	}
	// The role's quota as well: it is the same counter.
	e.setRole(t, fields{"quota": 45})
	wantFields(t, "under the role", e.verify(t, k.text, fields{"cost": 0}), fields{"quota": 45, "quota_remaining": 5})
	e.setRole(t, fields{"quota": 20})
	e.wantCode(t, "quota_exceeded", k.text)
	e.setRole(t, fields{"quota": 0})

	// A rate's debt is a time: a smaller bucket is no fuller, and a larger one has room for what is new.
	before := number(t, e.verify(t, k.text, fields{"cost": 0}), "rate_remaining")
	if before > 61 {
		t.Errorf("%d of 100 are left after 40", before)
	}
	e.change(t, k, fields{"rate_limit": 10})
	if left := number(t, e.verify(t, k.text, fields{"cost": 0}), "rate_remaining"); left > 6 {
		t.Errorf("a smaller bucket has %d of 10", left)
	}
	// Other changes touch no limit.
	e.change(t, k, fields{"name": "renamed", "disabled": true})
	e.change(t, k, fields{"disabled": false})
	wantFields(t, "another change", e.read(t, "keys/"+k.id), fields{"quota": 100, "quota_remaining": 60, "rate_limit": 10})
}
