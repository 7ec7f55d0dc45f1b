// Package cluster asks a cluster of three what gates need of it while its nodes take turns.
package cluster

import (
	"net/http"
	"os"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/polls"
	"vault-plugin-secrets-apikeys/test/surface"
)

const parked = 50

// margin is what a busy machine may add to what is promised.
const margin = 4 * time.Second

// A parked poll holds up its node's step-down and seal: for as long as it waits, and no longer. After that the next node
// answers each gate, with a reset and a higher term, whichever way its polls go.
func TestParkedPollsHoldUpAStepDownForTheirWaitAtMost(t *testing.T) {
	t.Parallel()
	c := harness.StartCluster(t, harness.Options{Plugin: true})
	surface.At(t, c.Active(t), "apikeys")
	policy, err := os.ReadFile("../recipes/policies/gate.hcl")
	if err != nil {
		t.Fatal(err)
	}
	token := c.Active(t).TokenWith(t, string(policy), nil)
	alone := polls.Clock(t, c, polls.StepDown, nil).Frozen
	for _, one := range []struct {
		event polls.Event
		way   polls.Way
		wait  time.Duration
	}{
		{polls.StepDown, polls.Direct, 5 * time.Second},
		{polls.StepDown, polls.Redirect, time.Second},
		{polls.StepDown, polls.Forwarded, time.Second},
		{polls.Seal, polls.Redirect, time.Second},
	} {
		crowd := polls.Crowd{Mount: "apikeys", Token: token, Wait: one.wait, Patience: 30 * time.Second}
		got := polls.Clock(t, c, one.event, func() *polls.Gates { return crowd.Towards(t, c, one.way).Park(parked) })
		t.Logf("%s, polls %s for %v: frozen %v (alone %v), led after %v, all reset after %v", one.event, one.way, one.wait, got.Frozen, alone, got.Led, got.Heard)
		if most := alone + one.wait + margin; got.Frozen > most {
			t.Errorf("sys/health was not answered for %v, wanted %v at most", got.Frozen, most)
		}
		if got.Missing > 0 {
			t.Errorf("%d gates never heard of the new node", got.Missing)
		}
		for _, p := range got.Polls {
			if p.Status == http.StatusOK && (p.Took > one.wait+margin || p.Term > p.Known && !p.Answer.Reset) {
				t.Fatalf("a poll was answered after %v: %+v", p.Took, p.Answer)
			}
		}
	}
}
