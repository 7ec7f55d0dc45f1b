package harness

import "testing"

func TestAClusterKeepsItsDataThroughStepDownKillAndSeal(t *testing.T) {
	c := StartCluster(t, Options{Audit: true})
	first := c.Active(t)
	path := putSecret(t, first, "kept")
	for _, s := range c.Standbys(t) {
		wantSecret(t, s, path, "kept")
	}

	second := c.StepDown(t)
	if second == first {
		t.Fatal("the node that stepped down is active again")
	}
	wantSecret(t, second, path, "kept")

	second.Kill(t)
	third := c.Failover(t, second)
	wantSecret(t, third, path, "kept")
	c.Rejoin(t, second)
	wantSecret(t, second, path, "kept")

	third.Seal(t)
	wantSecret(t, c.Failover(t, third), path, "kept")
	c.Rejoin(t, third)
	wantSecret(t, third, path, "kept")
	if third.AuditLog(t) == "" {
		t.Error("the audit log is empty")
	}
}
