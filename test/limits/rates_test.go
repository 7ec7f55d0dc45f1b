package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// TestABucketIsRefilledEvenly counts over a time that it measures: never more than the bucket and its refill, and after
// the announced wait at least one.
func TestABucketIsRefilledEvenly(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	const size, period = 5, 10 * time.Second
	k := e.issue(t, fields{"rate_limit": size, "rate_limit_period": "10s"})
	e.WantCode(t, "valid", k.Text, fields{"cost": 0})
	began := time.Now()
	valid := e.valid(t, k.Text, size+3)
	if valid < size {
		t.Errorf("a full bucket of %d lets %d through", size, valid)
	}
	for range 3 {
		d := e.Verify(t, k.Text)
		if d["valid"] == true {
			valid++
			continue
		}
		wait := wantBetween(t, d, "retry_after", 1, 2)
		wantBetween(t, d, "rate_reset_after", 1, int(period.Seconds()))
		time.Sleep(time.Duration(wait) * time.Second)
		after := e.valid(t, k.Text, 4)
		if after < 1 {
			t.Errorf("after %d s, as announced, nothing is let through", wait)
		}
		valid += after
	}
	most := size + int(time.Since(began)/(period/size)) + 1
	if valid > most {
		t.Errorf("%d were let through in %s, wanted at most %d", valid, time.Since(began), most)
	}
}

func TestARotationCarriesTheBucketOn(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"rate_limit": 4, "rate_limit_period": "24h", "quota": 9})
	e.WantCode(t, "valid", k.Text, fields{"cost": 3})
	next := e.rotate(t, k, nil)
	surface.WantFields(t, "the new version", e.WantCode(t, "valid", next.Text), fields{"rate_remaining": 0, "quota_remaining": 5})
	for _, version := range []key{k, next} {
		surface.WantFields(t, "both versions", e.WantCode(t, "rate_limited", version.Text), fields{"rate_limit": 4, "rate_remaining": 0, "quota_remaining": 5})
	}
	surface.WantFields(t, "rotate", next.Data, fields{"rate_limit": 4, "rate_limit_period": 86400, "quota": 9, "quota_period": 0})
}

// TestTheTighterOfRoleAndKeyCountsAndAChangedRoleCountsAtOnce walks one key through what its role may become.
func TestTheTighterOfRoleAndKeyCountsAndAChangedRoleCountsAtOnce(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	for _, kind := range []struct{ limit, period string }{{"rate_limit", "rate_limit_period"}, {"quota", "quota_period"}} {
		none := fields{"rate_limit": 0, "quota": 0, "quota_period": 0, "rate_limit_period": "1s"}
		e.setRole(t, none)
		own := e.issue(t, fields{kind.limit: 30, kind.period: "1h"})
		bare := e.issue(t, nil)
		for _, c := range []struct {
			what       string
			role       fields
			own, other any
		}{
			{"a role without", nil, 30, surface.Absent},
			{"a tighter role", fields{kind.limit: 20, kind.period: "1h"}, 20, 20},
			{"a looser role", fields{kind.limit: 40, kind.period: "1h"}, 30, 40},
			{"a looser role of another period", fields{kind.limit: 50, kind.period: "2h"}, 50, 50},
			{"a tighter role of another period", fields{kind.limit: 10, kind.period: "2h"}, 10, 10},
			{"a role without again", nil, 30, surface.Absent},
		} {
			e.setRole(t, surface.With(none, c.role))
			surface.WantFields(t, c.what, e.WantCode(t, "valid", own.Text, fields{"cost": 0}), fields{kind.limit: c.own})
			surface.WantFields(t, c.what, e.WantCode(t, "valid", bare.Text, fields{"cost": 0}), fields{kind.limit: c.other})
			surface.WantFields(t, c.what+": the key's own", e.Read(t, "keys/"+own.ID), fields{kind.limit: 30, kind.period: 3600})
		}
		// A key is not issued beyond its role, nor with another period.
		e.setRole(t, surface.With(none, fields{kind.limit: 20, kind.period: "1h"}))
		e.Refused(t, 400, "issue/"+e.web, fields{kind.limit: 21, kind.period: "1h"}, kind.limit)
		e.Refused(t, 400, "issue/"+e.web, fields{kind.limit: 5, kind.period: "2h"}, kind.limit)
		e.Refused(t, 400, "keys/"+own.ID, fields{kind.limit: 21}, kind.limit)
		k := e.issue(t, fields{kind.limit: 5})
		surface.WantFields(t, "the role's period", k.Data, fields{kind.limit: 5, kind.period: 3600})
	}
}

func TestLimitsThatCannotBeMeantAreMistakes(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, nil)
	for _, bad := range []fields{
		{"rate_limit": -1}, {"rate_limit": 1.5}, {"rate_limit": "x"}, {"rate_limit": ""}, {"rate_limit_period": 0}, {"rate_limit_period": "500ms"},
		{"rate_limit_period": "-1s"}, {"quota": -1}, {"quota": "1e3"}, {"quota": nil}, {"quota_period": "1.5h"}, {"quota_period": ""},
		{"quota_period": "100000h"}, {"quota": 1e30}, {"quota_remaining": 5},
	} {
		for _, path := range []string{"roles/" + e.web, "issue/" + e.web, "keys/" + k.ID} {
			e.Refused(t, 400, path, bad)
		}
	}
	surface.WantFields(t, "the key", e.Read(t, "keys/"+k.ID), fields{"rate_limit": 0, "rate_limit_period": 1, "quota": 0, "quota_period": 0})
}
