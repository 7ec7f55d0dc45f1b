package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// rotateToWait makes a version that waits for its first use.
func (e engine) rotateToWait(t *testing.T, id string, body fields) key {
	t.Helper()
	return e.rotate(t, id, surface.With(fields{"activation": "first_use"}, body))
}

// TestAKillAroundAFirstUseForgetsItAtMost kills the plugin at any moment around first uses, one of each key. A version
// whose first use was answered may wait again where the process died before it was written: then the next use counts.
// Until that the old one works, and the new one always.
func TestAKillAroundAFirstUseForgetsItAtMost(t *testing.T) {
	t.Parallel()
	e := mountedOn(t, harness.Start(t, harness.Options{Plugin: true, LogLevel: "error"}))
	e.Write(t, "roles/web", fields{"generate_lease": false})
	const kills = 50
	outcomes := map[string]int{}
	for range kills {
		one := e.issue(t, "web", nil)
		two := e.rotateToWait(t, one.ID, fields{"grace_period": 0})
		answer := make(chan bool)
		go func() { answer <- e.Ask(t, "POST", "verify", fields{"key": two.Text}).Data()["code"] == "valid" }()
		time.Sleep(time.Duration(5+rand.IntN(50)) * time.Millisecond)
		e.KillPluginAsleep(t)
		answered := <-answer
		e.AwaitPlugin(t)
		outcome := map[bool]string{true: "written", false: "forgotten"}[e.Verify(t, one.Text, fields{"cost": 0})["code"] == "superseded"]
		switch {
		case !answered:
			outcome += " and not answered"
		case outcome == "forgotten":
			e.WantCode(t, "valid", one.Text)
		}
		outcomes[outcome]++
		e.WantCode(t, "valid", two.Text)
		e.WantCode(t, "superseded", one.Text)
		if version := surface.Number(t, e.Read(t, "keys/"+one.ID), "version"); version != 2 {
			t.Errorf("then version %d is current", version)
		}
	}
	t.Logf("first uses amid kills: %v", outcomes)
}

func TestLeasesOfVersionsThatWaitAreOfNoOther(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h", "max_ttl": "2h", "grace_period": "30m"})
	pair := func(body fields) (one, two key) {
		one = e.issue(t, "web", nil)
		return one, e.rotateToWait(t, one.ID, body)
	}
	codes := func(what, old, new string, one, two key) {
		t.Helper()
		if a, b := e.Verify(t, one.Text, fields{"cost": 0})["code"], e.Verify(t, two.Text, fields{"cost": 0})["code"]; a != old || b != new {
			t.Errorf("%s: the old version is %v, the new one %v", what, a, b)
		}
	}

	one, two := pair(nil)
	for _, k := range []key{one, two} {
		if r := e.renew(t, k.Lease, 0); !r.renewable || !about(r.seconds, 3600) {
			t.Errorf("while one waits a lease renews to %d s, renewable %v", r.seconds, r.renewable)
		}
		e.wantTogether(t, k)
	}
	e.endLease(t, two.Lease)
	codes("the end of what waits", "valid", "superseded", one, two)

	one, two = pair(nil)
	e.endLease(t, one.Lease)
	codes("the end of the current one", "revoked", "revoked", one, two)
	e.endLease(t, two.Lease)

	one, two = pair(nil)
	three := e.rotateToWait(t, one.ID, nil)
	e.renewalRefused(t, two.Lease)
	e.endLease(t, two.Lease)
	codes("the end of what was cancelled", "valid", "valid", one, three)

	one, two = pair(nil)
	e.WantCode(t, "valid", two.Text)
	e.Write(t, "rotate/"+one.ID+"/rollback", nil)
	e.renewalRefused(t, two.Lease)
	e.endLease(t, two.Lease)
	codes("the end of what was rolled back", "valid", "invalid", one, two)
	if r := e.renew(t, one.Lease, 0); !r.renewable || !about(r.seconds, 3600) {
		t.Errorf("after a rollback the old lease renews to %d s, renewable %v", r.seconds, r.renewable)
	}
	e.endLease(t, one.Lease)
	codes("the end of what is current again", "revoked", "revoked", one, e.issueRevoked(t))

	one, two = pair(nil)
	e.WantCode(t, "valid", two.Text)
	e.renew(t, one.Lease, 0)
	if why := e.Refused(t, 409, "rotate/"+one.ID+"/rollback", nil); !strings.Contains(why, "lease") {
		t.Errorf("a rollback to a cut lease is refused with %q", why)
	}

	one, two = pair(fields{"grace_period": "10m"})
	e.MustCLI(t, "lease", "revoke", "-sync", "-prefix", e.path("rotate/"+one.ID))
	codes("all leases of a path", "valid", "superseded", one, two)
}

// issueRevoked is a key that was revoked.
func (e engine) issueRevoked(t *testing.T) key {
	k := e.issue(t, "web", nil)
	e.Write(t, "revoke/"+k.ID, nil)
	return k
}

func TestTheEndOfATokenEndsTheVersionThatItAskedFor(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h", "grace_period": "30m"})
	policy := `path "` + e.Mount + `/*" { capabilities = ["update"] }`
	for _, pending := range []bool{true, false} {
		token := e.TokenWith(t, policy, nil)
		one := e.issue(t, "web", nil)
		two := e.as(token).rotateToWait(t, one.ID, nil)
		if !pending {
			e.WantCode(t, "valid", two.Text)
		}
		e.Expect(t, 204, "POST", "auth/token/revoke", fields{"token": token})
		want := map[bool]string{true: "superseded", false: "revoked"}[pending]
		harness.Eventually(t, patience, "wait for the end of a token's key", func() error {
			code := e.Verify(t, two.Text, fields{"cost": 0})["code"] // or it would be used
			return wantedThat(code == want, "it is not "+want)
		})
		e.WantCode(t, map[bool]string{true: "valid", false: "revoked"}[pending], one.Text)
	}
}
