package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestLastUsesAndIdleEndsSurviveRestartsAndKills has a server of its own.
func TestLastUsesAndIdleEndsSurviveRestartsAndKills(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, s)
	e.idleRole(t, nil)
	ended, another, kept := e.issue(t, nil), e.issue(t, nil), e.issue(t, nil)
	created := time.Now()
	for time.Since(created) < idleAfter+time.Second {
		e.WantCode(t, "valid", kept.Text)
		time.Sleep(500 * time.Millisecond)
	}
	e.WantCode(t, "expired", ended.Text)
	e.WantCode(t, "valid", kept.Text)
	used := e.Read(t, "keys/"+kept.ID)["last_used_at"]

	// An end in order loses no use, and a timeout that is raised revives what was refused neither before nor after.
	e.idleRole(t, fields{"idle_timeout": "1h"})
	e.WantCode(t, "expired", ended.Text)
	s.Restart(t)
	e.WantCode(t, "expired", ended.Text)
	surface.WantFields(t, "after a restart", e.Read(t, "keys/"+kept.ID), fields{"last_used_at": used})
	e.WantCode(t, "valid", kept.Text)

	// A kill loses one flush interval at most, for which a stored use counts later. A second is the clock's.
	for range 2 {
		e.idleRole(t, fields{"idle_timeout": "1h"})
		fresh := e.issue(t, nil)
		e.WantCode(t, "valid", kept.Text)
		e.idleRole(t, nil)
		var last time.Time
		for began := time.Now(); time.Since(began) < 2500*time.Millisecond; time.Sleep(200 * time.Millisecond) {
			e.WantCode(t, "valid", kept.Text)
			e.WantCode(t, "valid", fresh.Text)
			last = time.Now()
		}
		e.KillPlugin(t)
		for time.Since(last) < idleAfter-2*time.Second {
			for _, k := range []key{kept, fresh} {
				// A question about a key that is no use of it.
				if d := e.Verify(t, k.Text, fields{"scopes": []string{"none"}}); d["code"] == "expired" && time.Since(last) < idleAfter-2*time.Second {
					t.Fatalf("%s after its last use a key is %v", time.Since(last), d["code"])
				}
			}
			time.Sleep(300 * time.Millisecond)
		}
	}
	e.idleRole(t, fields{"idle_timeout": "1h"})
	e.WantCode(t, "valid", kept.Text)

	// Tidy writes down what nobody asked about.
	e.idleRole(t, fields{"idle_timeout": "1s"})
	silent := e.issue(t, nil)
	time.Sleep(4 * time.Second)
	e.tidy(t)
	e.idleRole(t, fields{"idle_timeout": 0})
	for _, k := range []key{silent, another} {
		surface.WantFields(t, "a read after tidy", e.Read(t, "keys/"+k.ID), fields{"status": "expired"})
		e.WantCode(t, "expired", k.Text)
	}
	s.Restart(t)
	e.WantCode(t, "expired", silent.Text)
	e.WantCode(t, "expired", ended.Text)
}
