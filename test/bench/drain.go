package main

import (
	"fmt"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/polls"
)

// drain measures how much longer a node of a cluster of three takes to step down
// and to seal while polls are parked at it, and what the next node does.
func drain(t *runner, p gatePlan) {
	c := harness.StartCluster(t, harness.Options{LogLevel: "warn", Plugin: true})
	active := c.Active(t)
	active.Mount(t, gateMount, harness.Mount{})
	crowd := polls.Crowd{Mount: gateMount, Token: gateToken(t, active)}
	const parked = 50
	out := newListing(fmt.Sprintf("A cluster of three, %d parked polls; seconds, median (max) of %d", parked, p.drains),
		"event", "polls", "wait s", "sys/health stood still", "another led after", "all gates heard it after", "polls unanswered")
	defer out.Flush()
	for _, event := range []polls.Event{polls.StepDown, polls.Seal} {
		trials := []*trial{{way: "none"}}
		for _, wait := range []time.Duration{time.Second, 5 * time.Second} {
			for _, way := range polls.Ways {
				trials = append(trials, &trial{way: way, wait: wait})
			}
		}
		for round := range p.drains {
			for turn := range trials {
				trials[(turn+round)%len(trials)].run(t, c, event, crowd, parked)
			}
		}
		for _, one := range trials {
			out.line(string(event), string(one.way), short(one.wait.Seconds()), medianOf(one.frozen), medianOf(one.led), medianOf(one.heard), medianOf(one.unanswered))
		}
		out.Flush()
	}
}

// trial is one way of polling, with one wait.
type trial struct {
	way                            polls.Way
	wait                           time.Duration
	frozen, led, heard, unanswered []float64
}

func (w *trial) run(t *runner, c *harness.Cluster, event polls.Event, crowd polls.Crowd, n int) {
	var park func() *polls.Gates
	if w.wait > 0 {
		crowd.Wait, crowd.Patience = w.wait, w.wait+time.Second // as gates do
		park = func() *polls.Gates { return crowd.Towards(t, c, w.way).Park(n) }
	}
	got := polls.Clock(t, c, event, park)
	if got.Missing > 0 {
		t.Fatalf("%d gates never heard of the next node", got.Missing)
	}
	unanswered := 0.0
	for _, p := range got.Polls {
		if p.Status != 200 {
			unanswered++
		}
	}
	w.frozen, w.led = append(w.frozen, got.Frozen.Seconds()), append(w.led, got.Led.Seconds())
	w.heard, w.unanswered = append(w.heard, got.Heard.Seconds()), append(w.unanswered, unanswered)
}
