package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// answered are the fields of each proven answer, whatever the code.
var answered = []string{
	"valid", "code", "http_status", "key_id", "version", "role", "owner", "name", "scopes", "metadata", "expires_at",
	"rotation_due", "superseded", "valid_until", "parent_key_id",
}

var (
	rateFields  = []string{"rate_limit", "rate_remaining", "rate_reset_after"}
	quotaFields = []string{"quota", "quota_remaining", "quota_resets_at"}
)

func all(lists ...[]string) (names []string) {
	for _, l := range lists {
		names = append(names, l...)
	}
	return names
}

// TestAKeyThatFailsInSeveralWaysAnswersTheFirst lays one failure over the other, each earlier in the order.
func TestAKeyThatFailsInSeveralWaysAnswersTheFirst(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_delegation_depth": 1, "metadata": fields{"of": "the role"}, "grace_period": "1m"})
	parent := e.issue(t, fields{"owner": "acme", "scopes": []string{"read:*"}, "ttl": "1h"})
	k := e.delegate(t, parent, fields{
		"name": "child", "scopes": []string{"read:users"}, "bound_cidrs": []string{"10.0.0.0/8"},
		"rate_limit": 5, "rate_limit_period": "1h", "quota": 1, "quota_period": "1h",
	})
	newest := e.rotate(t, k, fields{"grace_period": "15s", "ttl": "20s"})
	request := fields{"client_ip": "10.1.2.3", "scopes": []string{"read:users"}}
	spent := fields{"quota": 1, "quota_remaining": 0, "quota_resets_at": surface.Moment(t, k.Data, "created_at").Add(time.Hour)}
	limits := all(rateFields, quotaFields)
	for _, layer := range []struct {
		code  string
		fail  func()
		names []string
		extra fields
	}{
		{"valid", func() {}, limits, fields{"rate_limit": 5, "rate_remaining": 4}},
		{"quota_exceeded", func() {}, all(limits, []string{"retry_after"}), fields{"rate_remaining": 4}},
		{"rate_limited", func() { e.change(t, k, fields{"rate_limit": 1}) }, all(limits, []string{"retry_after"}), fields{"rate_limit": 1, "rate_remaining": 0}},
		{"insufficient_scope", func() { request["scopes"] = []string{"write", "read:users", "read:*"} }, all(limits, []string{"missing_scopes"}), fields{"missing_scopes": []string{"write", "read:*"}}},
		{"ip_denied", func() { request["client_ip"] = "192.0.2.1" }, limits, nil},
		{"parent_ended", func() { e.change(t, parent, fields{"disabled": true}) }, limits, nil},
		{"disabled", func() { e.change(t, k, fields{"disabled": true}) }, limits, nil},
		{"superseded", func() { sleepUntil(surface.Moment(t, newest.Data, "previous_valid_until")) }, limits, nil},
		{"expired", func() { sleepUntil(surface.Moment(t, newest.Data, "expires_at")) }, nil, nil},
		{"revoked", func() { e.Write(t, "revoke/"+k.ID, nil) }, nil, nil},
	} {
		layer.fail()
		for range 2 { // a refusal changes nothing
			d := e.WantCode(t, layer.code, k.Text, request)
			wantNames(t, layer.code, d, all(answered, layer.names)...)
			surface.WantFields(t, layer.code, d, fields{
				"key_id": k.ID, "version": 1, "role": e.web, "owner": "acme", "name": "child", "scopes": []string{"read:users"},
				"metadata": fields{"of": "the role"}, "parent_key_id": parent.ID, "superseded": true, "rotation_due": false,
				"valid_until": newest.Data["previous_valid_until"], "expires_at": k.Data["expires_at"],
			})
			surface.WantFields(t, layer.code, d, layer.extra)
			if layer.names != nil {
				surface.WantFields(t, layer.code, d, spent)
			}
			if layer.code == "valid" {
				break
			}
		}
	}
	e.WantCode(t, "invalid", k.Text[:len(k.Text)-1]+"!", request)
}

func TestWhatIsRefusedBeforeTheLimitsCostsNothing(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_delegation_depth": 1})
	parent := e.issue(t, fields{"quota": 50, "rate_limit": 50, "rate_limit_period": "24h"})
	k := e.delegate(t, parent, fields{"bound_cidrs": []string{"10.0.0.0/8"}, "rate_limit": 9, "rate_limit_period": "24h", "quota": 9})
	within := fields{"client_ip": "10.0.0.1"}
	for range 3 {
		e.WantCode(t, "ip_denied", k.Text)
		e.WantCode(t, "insufficient_scope", k.Text, within, fields{"scopes": []string{"write"}})
		e.change(t, k, fields{"disabled": true})
		e.WantCode(t, "disabled", k.Text, within)
		e.change(t, k, fields{"disabled": false})
		e.change(t, parent, fields{"disabled": true})
		e.WantCode(t, "parent_ended", k.Text, within)
		e.change(t, parent, fields{"disabled": false})
		e.WantCode(t, "invalid", k.Text+"0", within)
	}
	d := e.WantCode(t, "valid", k.Text, within)
	surface.WantFields(t, "the child", d, fields{"rate_remaining": 8, "quota_remaining": 8})
	surface.WantFields(t, "the parent", e.WantCode(t, "valid", parent.Text), fields{"rate_remaining": 48, "quota_remaining": 48})
}

func TestRateAndQuotaAreTakenTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"max_delegation_depth": 1})
	day := fields{"rate_limit_period": "24h"}
	tightQuota := e.issue(t, surface.With(day, fields{"rate_limit": 10, "quota": 3}))
	surface.WantFields(t, "a tight quota", e.WantCode(t, "quota_exceeded", tightQuota.Text, fields{"cost": 4}), fields{
		"retry_after": 0, "rate_remaining": 10, "quota_remaining": 3, "rate_reset_after": 0, "quota_resets_at": "",
	})
	tightRate := e.issue(t, surface.With(day, fields{"rate_limit": 3, "quota": 10}))
	surface.WantFields(t, "a tight rate", e.WantCode(t, "rate_limited", tightRate.Text, fields{"cost": 4}), fields{
		"retry_after": 0, "rate_remaining": 3, "quota_remaining": 10,
	})
	// The same between the generations: what one of them refuses none of them pays.
	for what, limits := range map[string][2]fields{
		"the parent's quota": {{"quota": 2}, {"rate_limit": 10, "rate_limit_period": "24h"}},
		"the parent's rate":  {{"rate_limit": 2, "rate_limit_period": "24h"}, {"quota": 10}},
		"the child's quota":  {{"rate_limit": 10, "rate_limit_period": "24h", "quota": 10}, {"quota": 2}},
		"the child's rate":   {{"rate_limit": 10, "rate_limit_period": "24h", "quota": 10}, {"rate_limit": 2, "rate_limit_period": "24h"}},
	} {
		parent := e.issue(t, limits[0])
		child := e.delegate(t, parent, limits[1])
		refused := e.Verify(t, child.Text, fields{"cost": 3})
		if refused["valid"] == true {
			t.Errorf("%s: a cost above it is %v", what, refused["code"])
		}
		for _, k := range []key{parent, child} {
			d := e.WantCode(t, "valid", k.Text, fields{"cost": 0})
			for _, limit := range []string{"rate_limit", "quota"} {
				remaining := map[string]string{"rate_limit": "rate_remaining", "quota": "quota_remaining"}[limit]
				if d[limit] != d[remaining] {
					t.Errorf("%s refused and cost: %s is %v of %v", what, remaining, d[remaining], d[limit])
				}
			}
		}
	}
}
