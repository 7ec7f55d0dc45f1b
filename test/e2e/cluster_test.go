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
	s := engine{first, "apikeys"}.survivors(t)
	s.check(t)
	for _, standby := range c.Standbys(t) {
		e := engine{standby, s.mount}
		k := e.issue(t, "free", nil)
		s.wanted[k.text] = "valid"
		batch := e.write(t, "verify", fields{"batch_input": []any{fields{"key": k.text}}})
		if results, _ := batch["batch_results"].([]any); len(results) != 1 || results[0].(map[string]any)["code"] != "valid" {
			t.Errorf("through a standby a batch is answered %v", batch)
		}
	}

	s.Server = c.StepDown(t)
	last := s.issue(t, "free", nil)
	s.check(t)
	s.write(t, "revoke/"+last.id, nil)
	s.wanted[last.text] = "revoked"
	for _, k := range s.leases {
		s.renew(t, k.lease, 600)
		s.wantTogether(t, k)
		delete(s.reads, k.id) // its end has moved
	}
	s.Server = c.StepDown(t)
	s.check(t)
	for _, standby := range c.Standbys(t) {
		on := s
		on.Server = standby
		on.check(t)
	}
}
