package limits

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
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
	e := engineAt(s, "apikeys")
	e.setRole(t, fields{"ttl": "20d", "grace_period": "3s"})
	e.Write(t, "roles/svc", fields{"ttl": "1h"})
	live, spent := e.issue(t, nil), e.issue(t, fields{"quota": 2, "quota_period": "1h"})
	revoked := e.issue(t, nil)
	e.Write(t, "revoke/"+revoked.ID, nil)
	e.WantCode(t, "valid", spent.Text, fields{"cost": 2})
	for _, by := range []time.Duration{10 * 365 * 24 * time.Hour, -time.Hour, time.Hour, -10 * 365 * 24 * time.Hour} {
		var brief, replaced, next key
		var leased harness.Response
		wrongly(t, clock, by, func() {
			what := "under " + by.String()
			e.WantCode(t, "valid", live.Text)
			brief = e.issue(t, fields{"ttl": "3s"})
			datedNow(t, what, e.Read(t, "keys/"+brief.ID))
			replaced = e.issue(t, nil)
			next = e.rotate(t, replaced, nil)
			e.WantCode(t, "valid", replaced.Text)
			leased = e.try(t, "issue/svc", nil)
			if lease := fmt.Sprint(leased.JSON["lease_duration"]); lease != "3600" && lease != "3601" {
				t.Errorf("%s a lease of an hour is of %s seconds", what, lease)
			}
			e.Write(t, "tidy", nil)
			eventually(t, "wait for a tidy that removes nothing", func() error {
				status := e.Read(t, "tidy-status")
				if why, _ := status["error"].(string); status["state"] != "failed" || !strings.Contains(why, "clock") {
					return fmt.Errorf("%s it is %v", what, status)
				}
				return nil
			})
			time.Sleep(4 * time.Second)
			e.WantCode(t, "expired", brief.Text)
			e.WantCode(t, "superseded", replaced.Text)
			e.WantCode(t, "valid", next.Text)
			e.WantCode(t, "quota_exceeded", spent.Text)
		})
		e.WantCode(t, "valid", live.Text)
		e.WantCode(t, "expired", brief.Text)
		e.WantCode(t, "superseded", replaced.Text)
		e.WantCode(t, "quota_exceeded", spent.Text)
		e.WantCode(t, "valid", leased.Data()["key"].(string))
		datedNow(t, "after "+by.String(), e.Read(t, "keys/"+e.issue(t, nil).ID))
		e.KillPlugin(t)
		e.WantCode(t, "valid", live.Text)
		e.WantCode(t, "expired", brief.Text)
		e.WantCode(t, "superseded", replaced.Text)
		e.WantCode(t, "quota_exceeded", spent.Text)
		e.tidy(t)
		surface.WantFields(t, "a key that ended a moment ago", e.Read(t, "keys/"+revoked.ID), fields{"status": "revoked"})
	}
}
