package gate

import (
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestAGateOutlivesLeaders kills the leader of a cluster again and again beside a gate that is asked all the time. Warm
// keys are good throughout, since no gap is as long as max_staleness; what was revoked just before a leader died, or by
// the next one, is good no longer than that.
func TestAGateOutlivesLeaders(t *testing.T) {
	t.Parallel()
	const maxStaleness, kills = 20 * time.Second, 6
	c := harness.StartCluster(t, harness.Options{Plugin: true})
	c.Active(t).Mount(t, "apikeys", harness.Mount{})
	e := surface.Roles(t, surface.Engine{Server: c.Active(t), Mount: "apikeys"})
	link := harness.NewLink(t, c.Nodes...)
	g := beside(t, e, harness.GateOptions{Vault: link.Address(), Config: `max_staleness = "20s"`})
	g.Ready(t)
	warm := e.Issue(t, "web", "acme").Text
	becomes(t, g, 200, warm)
	throughout := hammer(t, g, warm, 10*time.Millisecond, 2)
	for range kills {
		before, after := e.Issue(t, "web", "acme"), e.Issue(t, "web", "acme")
		becomes(t, g, 200, before.Text)
		becomes(t, g, 200, after.Text)
		ofBefore, ofAfter := hammer(t, g, before.Text, 10*time.Millisecond, 1), hammer(t, g, after.Text, 10*time.Millisecond, 1)
		was := c.Active(t)
		e.Write(t, "revoke/"+before.ID, nil)
		revoked := time.Now()
		was.Kill(t)
		e.Server = c.Failover(t, was)
		led := time.Since(revoked)
		e.AwaitPlugin(t)
		e.Write(t, "revoke/"+after.ID, nil)
		revokedAfter := time.Now()
		becomes(t, g, 401, before.Text)
		becomes(t, g, 401, after.Text)
		for which, last := range map[string]time.Duration{
			"before": lastGood(ofBefore()).Sub(revoked), "after": lastGood(ofAfter()).Sub(revokedAfter),
		} {
			if last > maxStaleness {
				t.Errorf("a key that was revoked %s the leader died is good for %v", which, last)
			}
			t.Logf("revoked %s the leader died: the last 200 came after %v", which, last.Round(time.Millisecond))
		}
		becomes(t, g, 200, e.Issue(t, "web", "acme").Text)
		freshAgain(t, g)
		t.Logf("the next node led after %v; the gate is fresh", led.Round(time.Millisecond))
		c.Rejoin(t, was)
		c.WaitVoters(t)
	}
	all := throughout()
	for _, a := range all {
		if a.Status != http.StatusOK {
			t.Fatalf("a warm key is %d %s, %v", a.Status, a.Raw, a.err)
		}
	}
	t.Logf("a warm key was good %d times", len(all))
}
