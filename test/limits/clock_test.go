package limits

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// wrongly does something while the plugin's wall clock is wrong.
func wrongly(t *testing.T, clock harness.WrongClock, by time.Duration, do func()) {
	t.Helper()
	clock.Set(t, by)
	defer clock.Set(t, 0)
	do()
}

// datedNow holds a key to have been made a moment ago.
func datedNow(t *testing.T, what string, data fields) {
	t.Helper()
	text, _ := data["created_at"].(string)
	created, err := time.Parse(time.RFC3339, text)
	if off := time.Since(created); err != nil || off.Abs() > 3*time.Second {
		t.Errorf("%s: a new key is dated wrong by %s, %v", what, off, err)
	}
}

// TestAWrongClockIsAWalkWithoutConsequences sets the wall clock of a running plugin ten years and an hour ahead and
// behind, for some seconds each, and lets the plugin be killed meanwhile. It has a server of its own.
func TestAWrongClockIsAWalkWithoutConsequences(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	clock := s.RegisterWrongClock(t)
	s.Mount(t, "apikeys", harness.Mount{Type: clock.Plugin.Name})
	e := engine{s, "apikeys", "web"}
	e.setRole(t, fields{"ttl": "20d", "grace_period": "3s"})
	e.write(t, "roles/svc", fields{"ttl": "1h"})
	live, spent := e.issue(t, nil), e.issue(t, fields{"quota": 2, "quota_period": "1h"})
	revoked := e.issue(t, nil)
	e.write(t, "revoke/"+revoked.id, nil)
	e.wantCode(t, "valid", spent.text, fields{"cost": 2})
	for _, by := range []time.Duration{10 * 365 * 24 * time.Hour, -time.Hour, time.Hour, -10 * 365 * 24 * time.Hour} {
		var brief, replaced, next key
		var leased harness.Response
		wrongly(t, clock, by, func() {
			what := "under " + by.String()
			e.wantCode(t, "valid", live.text)
			brief = e.issue(t, fields{"ttl": "3s"})
			datedNow(t, what, e.read(t, "keys/"+brief.id))
			replaced = e.issue(t, nil)
			next = e.rotate(t, replaced, nil)
			e.wantCode(t, "valid", replaced.text)
			leased = e.try(t, "issue/svc", nil)
			if lease := fmt.Sprint(leased.JSON["lease_duration"]); lease != "3600" && lease != "3601" {
				t.Errorf("%s a lease of an hour is of %s seconds", what, lease)
			}
			e.write(t, "tidy", nil)
			eventually(t, "wait for a tidy that removes nothing", func() error {
				status := e.read(t, "tidy-status")
				if why, _ := status["error"].(string); status["state"] != "failed" || !strings.Contains(why, "clock") {
					return fmt.Errorf("%s it is %v", what, status)
				}
				return nil
			})
			time.Sleep(4 * time.Second)
			e.wantCode(t, "expired", brief.text)
			e.wantCode(t, "superseded", replaced.text)
			e.wantCode(t, "valid", next.text)
			e.wantCode(t, "quota_exceeded", spent.text)
		})
		e.wantCode(t, "valid", live.text)
		e.wantCode(t, "expired", brief.text)
		e.wantCode(t, "superseded", replaced.text)
		e.wantCode(t, "quota_exceeded", spent.text)
		e.wantCode(t, "valid", leased.Data()["key"].(string))
		datedNow(t, "after "+by.String(), e.read(t, "keys/"+e.issue(t, nil).id))
		e.killPlugin(t)
		e.wantCode(t, "valid", live.text)
		e.wantCode(t, "expired", brief.text)
		e.wantCode(t, "superseded", replaced.text)
		e.wantCode(t, "quota_exceeded", spent.text)
		e.tidy(t)
		wantFields(t, "a key that ended a moment ago", e.read(t, "keys/"+revoked.id), fields{"status": "revoked"})
	}
}
