package gate

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestADeposedLeaderIsNotBelieved has the leader of a cluster deposed while it does not know it: cut off from its peers,
// and suspended. Some gates reach only that node, others all of them. What its successor revokes is good no longer than
// knowledge may be old and raft takes to depose, also when the one that was deposed is there again.
func TestADeposedLeaderIsNotBelieved(t *testing.T) {
	t.Parallel()
	const bound = 3*time.Second + 3500*time.Millisecond
	c := harness.StartCluster(t, harness.Options{Plugin: true, Breakable: true})
	c.Active(t).Mount(t, "apikeys", harness.Mount{})
	e := surface.Roles(t, surface.Engine{Server: c.Active(t), Mount: "apikeys"})
	for _, harm := range []struct {
		name string
		do   func(*harness.Server) (mend func())
	}{
		{"cut off", func(s *harness.Server) func() { c.CutOff(s); return c.Mend }},
		{"suspended", func(s *harness.Server) func() { return s.Suspend(t) }},
	} {
		was := c.Active(t)
		e.Server = was
		key := e.Issue(t, "web", "acme")
		var gates []*harness.Gate
		var answers []func() []answer
		for n := range 6 {
			link := harness.NewLink(t, was)
			if n%2 > 0 {
				link = harness.NewBalancer(t, c.Nodes...)
			}
			g := beside(t, e, harness.GateOptions{Name: fmt.Sprint("edge-", n), Vault: link.Address(), Config: `max_staleness = "3s"`})
			g.Ready(t)
			becomes(t, g, 200, key.Text)
			gates, answers = append(gates, g), append(answers, hammer(t, g, key.Text, 20*time.Millisecond, 1))
		}
		mend := harm.do(was)
		begun := time.Now()
		e.Server = c.Failover(t, was)
		e.AwaitPlugin(t)
		e.Write(t, "revoke/"+key.ID, nil)
		revoked := time.Now()
		becomes(t, gates[1], 401, key.Text) // by who reaches the new leader as well
		heard := time.Since(revoked)
		time.Sleep(time.Until(revoked.Add(8 * time.Second)))
		mend()
		mended := time.Now()
		for n, g := range gates {
			becomes(t, g, 401, key.Text)
			all := answers[n]()
			last := lastGood(all).Sub(revoked)
			if last > bound {
				t.Errorf("%s: gate %d answers 200 %v after the revocation, %v after the old leader is back", harm.name, n, last, lastGood(all).Sub(mended))
			}
			t.Logf("%s: gate %d: the last 200 came %v after the revocation", harm.name, n, last.Round(time.Millisecond))
			g.Kill()
		}
		t.Logf("%s: revoked after %v; who reaches both heard of it %v later, and all %v after the end of it", harm.name, revoked.Sub(begun), heard, time.Since(mended))
		c.WaitVoters(t)
	}
}
