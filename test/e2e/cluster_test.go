package e2e

import (
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

func TestKeysVerifyOnTheNodeThatTakesOver(t *testing.T) {
	t.Parallel()
	c := harness.StartCluster(t, harness.Options{Plugin: true})
	first := c.Active(t)
	first.Mount(t, "apikeys", harness.Mount{})
	s := engineAt(first, "apikeys").survivors(t)
	s.check(t)
	for _, standby := range c.Standbys(t) {
		e := engineAt(standby, s.Mount)
		k := e.issue(t, "free", nil)
		s.wanted[k.Text] = "valid"
		batch := e.Write(t, "verify", fields{"batch_input": []any{fields{"key": k.Text}}})
		if results, _ := batch["batch_results"].([]any); len(results) != 1 || results[0].(map[string]any)["code"] != "valid" {
			t.Errorf("through a standby a batch is answered %v", batch)
		}
	}

	s.Server = c.StepDown(t)
	last := s.issue(t, "free", nil)
	s.check(t)
	s.Write(t, "revoke/"+last.ID, nil)
	s.wanted[last.Text] = "revoked"
	for _, k := range s.leases {
		s.renew(t, k.Lease, 600)
		s.wantTogether(t, k)
		delete(s.reads, k.ID) // its end has moved
	}
	s.Server = c.StepDown(t)
	s.check(t)
	for _, standby := range c.Standbys(t) {
		on := s
		on.Server = standby
		on.check(t)
	}
}
