package limits

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
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
		e.wantCode(t, "valid", kept.text)
		time.Sleep(500 * time.Millisecond)
	}
	e.wantCode(t, "expired", ended.text)
	e.wantCode(t, "valid", kept.text)
	used := e.read(t, "keys/"+kept.id)["last_used_at"]

	// An end in order loses no use, and a timeout that is raised revives what was refused neither before nor after.
	e.idleRole(t, fields{"idle_timeout": "1h"})
	e.wantCode(t, "expired", ended.text)
	s.Restart(t)
	e.wantCode(t, "expired", ended.text)
	wantFields(t, "after a restart", e.read(t, "keys/"+kept.id), fields{"last_used_at": used})
	e.wantCode(t, "valid", kept.text)

	// A kill loses one flush interval at most, for which a stored use counts later. A second is the clock's.
	for range 2 {
		e.idleRole(t, fields{"idle_timeout": "1h"})
		fresh := e.issue(t, nil)
		e.wantCode(t, "valid", kept.text)
		e.idleRole(t, nil)
		var last time.Time
		for began := time.Now(); time.Since(began) < 2500*time.Millisecond; time.Sleep(200 * time.Millisecond) {
			e.wantCode(t, "valid", kept.text)
			e.wantCode(t, "valid", fresh.text)
			last = time.Now()
		}
		e.killPlugin(t)
		for time.Since(last) < idleAfter-2*time.Second {
			for _, k := range []key{kept, fresh} {
				// A question about a key that is no use of it.
				if d := e.verify(t, k.text, fields{"scopes": []string{"none"}}); d["code"] == "expired" && time.Since(last) < idleAfter-2*time.Second {
					t.Fatalf("%s after its last use a key is %v", time.Since(last), d["code"])
				}
			}
			time.Sleep(300 * time.Millisecond)
		}
	}
	e.idleRole(t, fields{"idle_timeout": "1h"})
	e.wantCode(t, "valid", kept.text)

	// Tidy writes down what nobody asked about.
	e.idleRole(t, fields{"idle_timeout": "1s"})
	silent := e.issue(t, nil)
	time.Sleep(4 * time.Second)
	e.tidy(t)
	e.idleRole(t, fields{"idle_timeout": 0})
	for _, k := range []key{silent, another} {
		wantFields(t, "a read after tidy", e.read(t, "keys/"+k.id), fields{"status": "expired"})
		e.wantCode(t, "expired", k.text)
	}
	s.Restart(t)
	e.wantCode(t, "expired", silent.text)
	e.wantCode(t, "expired", ended.text)
}
