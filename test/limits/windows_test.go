package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestAQuotaRefillsWithEachWindowFromTheKeysCreation(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	const period = 4 * time.Second
	k := e.issue(t, fields{"quota": 3, "quota_period": "4s"})
	created := surface.Moment(t, k.Data, "created_at")
	next := e.rotate(t, k, nil) // windows go on through rotations
	for range 3 {
		// A window's first moment leaves the most time to look at it.
		window := time.Since(created)/period + 1
		sleepUntil(created.Add(window * period))
		for i, r := range e.batch(t, "verify", repeat(fields{"key": next.Text}, 5)...) {
			if time.Since(created) >= (window+1)*period {
				t.Log("the machine was too slow for this window")
				break
			}
			if r["valid"] != (i < 3) {
				t.Errorf("verification %d of a window answers %v", i+1, r["code"])
			}
			surface.WantFields(t, "in a window", r, fields{"quota_resets_at": created.Add((window + 1) * period)})
			if i >= 3 {
				wantBetween(t, r, "retry_after", 1, int(period.Seconds()))
			}
		}
	}
	sleepUntil(created.Add((time.Since(created)/period + 1) * period))
	surface.WantFields(t, "a read in a new window", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 3})
}

func TestAReadShowsWhatIsLeftOfTheQuota(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 100, "quota_period": "24h"})
	surface.WantFields(t, "unused", e.Read(t, "keys/"+k.ID), fields{
		"quota": 100, "quota_period": 86400, "quota_remaining": 100, "quota_resets_at": surface.Moment(t, k.Data, "created_at").Add(24 * time.Hour),
	})
	e.WantCode(t, "valid", k.Text, fields{"cost": 33})
	surface.WantFields(t, "used", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 67})
	forLife := e.issue(t, fields{"quota": 7})
	surface.WantFields(t, "for life", e.Read(t, "keys/"+forLife.ID), fields{"quota_remaining": 7, "quota_resets_at": ""})
	surface.WantFields(t, "without", e.Read(t, "keys/"+e.issue(t, nil).ID), fields{"quota_remaining": surface.Absent, "quota_resets_at": surface.Absent})
}

func TestAChangeOfLimitsKeepsWhatWasSpent(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 100, "rate_limit": 100, "rate_limit_period": "24h"})
	e.WantCode(t, "valid", k.Text, fields{"cost": 40})
	for _, c := range []struct{ quota, remaining int }{{50, 10}, {41, 1}, {40, 0}, {30, 0}, {0, -1}, {45, 5}, {1000, 960}, {100, 60}} {
		d := e.change(t, k, fields{"quota": c.quota})
		if c.quota == 0 {
			surface.WantFields(t, "no quota", e.WantCode(t, "valid", k.Text, fields{"cost": 0}), fields{"quota": surface.Absent, "quota_remaining": surface.Absent})
			continue
		}
		surface.WantFields(t, "the update", d, fields{"quota": c.quota, "quota_remaining": c.remaining})
		surface.WantFields(t, "verify", e.Verify(t, k.Text, fields{"cost": 0}), fields{"quota": c.quota, "quota_remaining": c.remaining})
		if c.remaining == 0 {
			e.WantCode(t, "quota_exceeded", k.Text)
		}
	}
	// The role's quota as well: it is the same counter.
	e.setRole(t, fields{"quota": 45})
	surface.WantFields(t, "under the role", e.Verify(t, k.Text, fields{"cost": 0}), fields{"quota": 45, "quota_remaining": 5})
	e.setRole(t, fields{"quota": 20})
	e.WantCode(t, "quota_exceeded", k.Text)
	e.setRole(t, fields{"quota": 0})

	// A rate's debt is a time: a smaller bucket is no fuller, and a larger one has room for what is new.
	before := surface.Number(t, e.Verify(t, k.Text, fields{"cost": 0}), "rate_remaining")
	if before > 61 {
		t.Errorf("%d of 100 are left after 40", before)
	}
	e.change(t, k, fields{"rate_limit": 10})
	if left := surface.Number(t, e.Verify(t, k.Text, fields{"cost": 0}), "rate_remaining"); left > 6 {
		t.Errorf("a smaller bucket has %d of 10", left)
	}
	// Other changes touch no limit.
	e.change(t, k, fields{"name": "renamed", "disabled": true})
	e.change(t, k, fields{"disabled": false})
	surface.WantFields(t, "another change", e.Read(t, "keys/"+k.ID), fields{"quota": 100, "quota_remaining": 60, "rate_limit": 10})
}
