package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

func TestACostIsTakenFromRateAndQuota(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"rate_limit": 10, "rate_limit_period": "24h", "quota": 20})
	surface.WantFields(t, "no cost given", e.WantCode(t, "valid", k.Text), fields{"rate_remaining": 9, "quota_remaining": 19})
	surface.WantFields(t, "a cost", e.WantCode(t, "valid", k.Text, fields{"cost": 4}), fields{"rate_remaining": 5, "quota_remaining": 15})
	surface.WantFields(t, "a cost as text", e.WantCode(t, "valid", k.Text, fields{"cost": "5"}), fields{"rate_remaining": 0, "quota_remaining": 10})
	surface.WantFields(t, "a read", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 10})
}

func TestACostOfNothingTakesNothingAndIsNeverRefusedByALimit(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	for what, limits := range map[string]fields{
		"quota_exceeded": {"quota": 2},
		"rate_limited":   {"rate_limit": 2, "rate_limit_period": "24h"},
	} {
		e.setRole(t, fields{"max_delegation_depth": 1})
		parent := e.issue(t, limits)
		child := e.delegate(t, parent, nil)
		for range 3 {
			e.WantCode(t, "valid", parent.Text, fields{"cost": 0})
			e.WantCode(t, "valid", child.Text, fields{"cost": 0})
		}
		e.WantCode(t, "valid", parent.Text, fields{"cost": 2})
		for _, k := range []key{parent, child} {
			e.WantCode(t, what, k.Text)
			e.WantCode(t, "valid", k.Text, fields{"cost": 0})
			e.WantCode(t, "insufficient_scope", k.Text, fields{"cost": 0, "scopes": []string{"none"}})
		}
	}
}

func TestACostThatIsNoWholeNumberIsAMistake(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 5})
	for _, cost := range []any{-1, 1.5, "x", "", " ", "-1", "1.5", "0x10", "1e3", "010", "+1", nil, true, []int{1}, fields{}, 1e30, "99999999999999999999"} {
		e.Refused(t, 400, "verify", fields{"key": k.Text, "cost": cost}, "cost")
		e.Refused(t, 400, "authorize", fields{"key": k.Text, "cost": cost}, "cost")
		if r := e.batch(t, "verify", fields{"key": k.Text, "cost": cost})[0]; surface.Number(t, r, "http_status") != 400 {
			t.Errorf("an item with the cost %v is answered with %v", cost, r)
		}
	}
	surface.WantFields(t, "after mistakes", e.WantCode(t, "valid", k.Text), fields{"quota_remaining": 4})
	surface.WantFields(t, "a huge cost", e.WantCode(t, "quota_exceeded", k.Text, fields{"cost": 1 << 53}), fields{"retry_after": 0, "quota_remaining": 4})
}

// TestRetryAfterIsTheWaitUntilThisCostFits allows for the seconds that the requests themselves take.
func TestRetryAfterIsTheWaitUntilThisCostFits(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	const slack = 60
	k := e.issue(t, fields{"rate_limit": 4, "rate_limit_period": "4000s"})
	e.WantCode(t, "valid", k.Text, fields{"cost": 4})
	for cost, wait := range map[int]int{1: 1000, 2: 2000, 4: 4000} {
		d := e.WantCode(t, "rate_limited", k.Text, fields{"cost": cost})
		wantBetween(t, d, "retry_after", wait-slack, wait)
		wantBetween(t, d, "rate_reset_after", 4000-slack, 4000)
		surface.WantFields(t, "rate_limited", d, fields{"rate_limit": 4, "rate_remaining": 0})
	}
	surface.WantFields(t, "above the limit", e.WantCode(t, "rate_limited", k.Text, fields{"cost": 5}), fields{"retry_after": 0})

	k = e.issue(t, fields{"quota": 4, "quota_period": "4000s"})
	resets := surface.Moment(t, k.Data, "created_at").Add(4000 * time.Second)
	e.WantCode(t, "valid", k.Text, fields{"cost": 3})
	for _, cost := range []int{2, 4} {
		d := e.WantCode(t, "quota_exceeded", k.Text, fields{"cost": cost})
		surface.WantFields(t, "quota_exceeded", d, fields{"quota": 4, "quota_remaining": 1, "quota_resets_at": resets})
		wantBetween(t, d, "retry_after", int(time.Until(resets).Seconds()), int(time.Until(resets).Seconds())+slack)
	}
	surface.WantFields(t, "above the quota", e.WantCode(t, "quota_exceeded", k.Text, fields{"cost": 5}), fields{"retry_after": 0})

	k = e.issue(t, fields{"quota": 1})
	e.WantCode(t, "valid", k.Text)
	surface.WantFields(t, "a quota for life", e.WantCode(t, "quota_exceeded", k.Text), fields{"retry_after": 0, "quota_resets_at": ""})
}

// TestRetryAfterCountsEveryLimitOfTheChain asks where parent and child both refuse, one of them for longer.
func TestRetryAfterCountsEveryLimitOfTheChain(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_delegation_depth": 1})
	const slack = 60
	hour, day := fields{"quota": 1, "quota_period": "1h"}, fields{"quota": 1, "quota_period": "24h"}
	for _, c := range []struct {
		what          string
		parent, child fields
		wait          int
	}{
		{"the parent waits longer", day, hour, 24 * 3600},
		{"the child waits longer", hour, day, 24 * 3600},
		{"the child waits for ever", hour, fields{"quota": 1, "quota_period": 0}, 0},
		{"the parent waits for ever", fields{"quota": 1, "quota_period": 0}, hour, 0},
	} {
		parent := e.issue(t, nil)
		child := e.delegate(t, parent, c.child)
		e.change(t, parent, c.parent)
		e.WantCode(t, "valid", child.Text)
		d := e.WantCode(t, "quota_exceeded", child.Text)
		if wait := surface.Number(t, d, "retry_after"); wait > c.wait || wait < c.wait-slack {
			t.Errorf("%s: retry_after is %d, wanted %d", c.what, wait, c.wait)
		}
	}
	// With rates, which hold for all of a chain alike.
	parent := e.issue(t, fields{"rate_limit": 4, "rate_limit_period": "4000s"})
	child := e.delegate(t, parent, fields{"rate_limit": 2, "rate_limit_period": "4000s"})
	e.WantCode(t, "valid", child.Text, fields{"cost": 2})
	wantBetween(t, e.WantCode(t, "rate_limited", child.Text, fields{"cost": 2}), "retry_after", 4000-slack, 4000)
	surface.WantFields(t, "above the child's", e.WantCode(t, "rate_limited", child.Text, fields{"cost": 3}), fields{"retry_after": 0})
}
