package gate

import (
	"fmt"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

const day = 24 * time.Hour

// endsOnTime holds a key that a gate is asked about all the time to end there at its second, by the engine's clock, which
// is ahead of what is right by so much.
func endsOnTime(t *testing.T, what string, e surface.Engine, g *harness.Gate, ahead time.Duration) {
	t.Helper()
	key := e.Minted(t, "issue/web", fields{"owner": "acme", "ttl": "6s"})
	text, _ := e.Read(t, "keys/"+key.ID)["expires_at"].(string)
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	end = end.Add(-ahead)
	becomes(t, g, 200, key.Text)
	answers := hammer(t, g, key.Text, 10*time.Millisecond, 1)
	time.Sleep(time.Until(end.Add(time.Second)))
	all := answers()
	last := lastGood(all).Sub(end)
	if last > 0 || last < -time.Second {
		t.Errorf("%s a key is good until %v after its end", what, last)
	}
	for _, a := range all {
		if a.sent.After(end) && (a.Status != 401 || a.JSON["code"] != "expired") {
			t.Errorf("%s after its end a key is %d %s", what, a.Status, a.Raw)
			return
		}
	}
	t.Logf("%s the last 200 came %v before the end", what, -last)
}

// TestAGateWhoseClockIsWrong has the wall clock of a gate's machine wrong by a day, at its start and in one step while it
// runs, beside a Vault whose clock is right.
func TestAGateWhoseClockIsWrong(t *testing.T) {
	clock := harness.BuildWrongGate(t) // while no other test counts seconds
	t.Parallel()
	e := own(t)
	link := harness.NewLink(t, e.Server)
	clock.Set(t, day)
	g := beside(t, e, harness.GateOptions{Binary: clock.Program, Vault: link.Address(), Config: "max_staleness = \"3s\"\ndecision_log = \"/dev/stderr\""})
	g.Ready(t)
	warm := e.Issue(t, "web", "acme")
	becomes(t, g, 200, warm.Text)
	says(t, g, time.Now().Add(day).UTC().Format(`"time":"2006-01-02T`)) // it is as wrong as it was meant to be
	throughout := hammer(t, g, warm.Text, 10*time.Millisecond, 1)
	endsOnTime(t, "a day ahead", e, g, 0)
	clock.Set(t, -day)
	endsOnTime(t, "set back by two days", e, g, 0)
	for _, a := range throughout() {
		if a.Status != 200 {
			t.Fatalf("meanwhile a good key is %d %s, %v", a.Status, a.Raw, a.err)
		}
	}
	cut := time.Now()
	answers := hammer(t, g, warm.Text, 10*time.Millisecond, 1)
	link.Refuse()
	e.Write(t, "revoke/"+warm.ID, nil)
	time.Sleep(time.Second)
	clock.Set(t, day)
	becomes(t, g, 503, warm.Text)
	if last := lastGood(answers()).Sub(cut); last > 3*time.Second || last < 1500*time.Millisecond {
		t.Errorf("cut off, while its clock is set, it is good for %v", last)
	}
	link.Heal()
	becomes(t, g, 401, warm.Text)
}

// TestTheEnginesClockStepsWithItsTerm has the next process that a gate hears by another clock than the one before, as
// where nodes disagree: the gate goes by it at once, and says that it jumped.
func TestTheEnginesClockStepsWithItsTerm(t *testing.T) {
	s := harness.Start(t, harness.Options{Plugin: true})
	clock := s.RegisterWrongClock(t) // while no other test counts seconds
	t.Parallel()
	s.Mount(t, "apikeys", harness.Mount{Type: clock.Plugin.Name})
	e := surface.Roles(t, surface.Engine{Server: s, Mount: "apikeys"})
	g := beside(t, e, harness.GateOptions{})
	g.Ready(t)
	warm := e.Issue(t, "web", "acme").Text
	becomes(t, g, 200, warm)
	throughout := hammer(t, g, warm, 10*time.Millisecond, 1)
	endsOnTime(t, "by the first clock", e, g, 0)
	for n, by := range []time.Duration{10 * time.Second, 0} {
		clock.Set(t, by)
		e.KillPlugin(t)
		e.AwaitPlugin(t)
		freshAgain(t, g)
		endsOnTime(t, fmt.Sprintf("by a clock that is %v ahead", by), e, g, by)
		if n == 0 {
			says(t, g, "the engine's clock jumped with its term")
		}
	}
	for _, a := range throughout() {
		if a.Status != 200 {
			t.Fatalf("meanwhile a good key is %d %s, %v", a.Status, a.Raw, a.err)
		}
	}
}
