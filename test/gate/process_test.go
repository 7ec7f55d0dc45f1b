package gate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

func TestTwoGatesOfOneNameBothWorkAndBothShow(t *testing.T) {
	t.Parallel()
	e := own(t)
	gates := []*harness.Gate{beside(t, e, harness.GateOptions{}), beside(t, e, harness.GateOptions{})}
	key := e.Issue(t, "web", "acme")
	for _, g := range gates {
		g.Ready(t)
		becomes(t, g, 200, key.Text)
	}
	e.Write(t, "revoke/"+key.ID, nil)
	harness.Eventually(t, 10*time.Second, "both runs have heard of everything", func() error {
		runs, _ := e.Read(t, "gates/edge-1")["runs"].(fields)
		for _, run := range runs {
			if of, _ := run.(fields); len(runs) != 2 || of["current"] != true {
				return fmt.Errorf("the runs are %v", runs)
			}
		}
		return nil
	})
	for _, g := range gates {
		if r := ask(t, g, key.Text); r.Status != 401 {
			t.Errorf("a gate that has heard of its revocation says %d", r.Status)
		}
	}
}

// TestAGateThatSleptKnowsItsAge stops a gate for longer than its knowledge may be old. Whoever asks meanwhile is
// answered when it wakes, and so is who asks then.
func TestAGateThatSleptKnowsItsAge(t *testing.T) {
	t.Parallel()
	e := own(t)
	g := beside(t, e, harness.GateOptions{Config: `max_staleness = "3s"`})
	g.Ready(t)
	for range 2 {
		key := e.Issue(t, "web", "acme")
		becomes(t, g, 200, key.Text)
		g.Signal(t, syscall.SIGSTOP)
		t.Cleanup(func() { _ = syscall.Kill(g.PID(), syscall.SIGCONT) })
		e.Write(t, "revoke/"+key.ID, nil)
		asleep := hammer(t, g, key.Text, time.Millisecond, 16) // each waits for its first answer
		time.Sleep(4 * time.Second)
		g.Signal(t, syscall.SIGCONT)
		woken := time.Now()
		took := becomes(t, g, 401, key.Text)
		all := asleep()
		if good := lastGood(all); !good.IsZero() {
			t.Errorf("a question of %v after it woke is good", good.Sub(woken))
		}
		early := 0
		for _, a := range all {
			if a.sent.Before(woken) {
				early++
			}
		}
		t.Logf("%d answers, %d of questions from its sleep; it was fresh after %v", len(all), early, took.Round(time.Millisecond))
	}
}

// TestAGateEndsInOrderUnderLoad sends SIGHUP with a bad file, and then SIGTERM, to a gate that is asked all the time.
func TestAGateEndsInOrderUnderLoad(t *testing.T) {
	t.Parallel()
	e := own(t)
	g := beside(t, e, harness.GateOptions{})
	g.Ready(t)
	limited := e.Minted(t, "issue/web", fields{"owner": "acme", "quota": 100000})
	becomes(t, g, 200, limited.Text)
	answers := hammer(t, g, limited.Text, 5*time.Millisecond, 4)
	g.Write(t, "gate.hcl", "foo = 1\n")
	g.Signal(t, syscall.SIGHUP)
	says(t, g, "nothing has changed")
	time.Sleep(time.Second)
	begun := time.Now()
	if err := g.Stop(t); err != nil || time.Since(begun) > 10*time.Second {
		t.Errorf("after %v it ends with %v", time.Since(begun), err)
	}
	took := time.Since(begun)
	all := answers()
	spent := 1 // by the first question
	for _, a := range all {
		switch {
		case a.Status == http.StatusOK:
			spent++
		case a.Status != 0, !errors.Is(a.err, syscall.ECONNREFUSED), a.sent.Before(begun):
			t.Errorf("%v after the signal one is answered %d %s, %v", a.sent.Sub(begun), a.Status, a.Raw, a.err)
		}
	}
	if valid := e.Read(t, "usage/keys/"+limited.ID)["by_code"].(fields)["valid"]; fmt.Sprint(valid) != fmt.Sprint(spent) {
		t.Errorf("of %d uses %v were reported", spent, valid)
	}
	left := e.Verify(t, limited.Text, fields{"cost": 0})["quota_remaining"]
	if fmt.Sprint(left) != fmt.Sprint(100000-spent) {
		t.Errorf("of 100000 units %d were spent and %v are left", spent, left)
	}
	t.Logf("it ended after %v; %d questions were answered, and all are reported, and what was not spent is back", took.Round(time.Millisecond), spent)
}

// TestAGateEndsInTimeWhereVaultIsSilent ends one that owes units and reports to a Vault that takes no more.
func TestAGateEndsInTimeWhereVaultIsSilent(t *testing.T) {
	t.Parallel()
	e := own(t)
	link := harness.NewLink(t, e.Server)
	g := beside(t, e, harness.GateOptions{Vault: link.Address()})
	g.Ready(t)
	becomes(t, g, 200, e.Minted(t, "issue/web", fields{"owner": "acme", "quota": 1000}).Text)
	link.Lose()
	begun := time.Now()
	if err := g.Stop(t); err != nil || time.Since(begun) > 10*time.Second {
		t.Errorf("after %v it ends with %v", time.Since(begun), err)
	}
	t.Logf("it ended after %v", time.Since(begun).Round(time.Millisecond))
}

// TestTheEndOfAQuotaOverFiveGates spends a quota through five gates, one of which is killed, to its last unit.
func TestTheEndOfAQuotaOverFiveGates(t *testing.T) {
	t.Parallel()
	const quota, rounds = 300, 3
	e := own(t)
	for range rounds {
		key := e.Minted(t, "issue/web", fields{"owner": "acme", "quota": quota})
		var gates []*harness.Gate
		for n := range 5 {
			gates = append(gates, beside(t, e, harness.GateOptions{Name: fmt.Sprint("edge-", n)}))
		}
		for _, g := range gates {
			g.Ready(t)
		}
		var valid, unsure atomic.Int64
		var spending sync.WaitGroup
		for n, g := range gates {
			spending.Go(func() { spend(t, g, key.Text, n == 0, &valid, &unsure) })
		}
		harness.Eventually(t, 30*time.Second, "a third is spent", func() error {
			if valid.Load() < quota/3 {
				return errors.New("not yet")
			}
			return nil
		})
		gates[0].Kill()
		spending.Wait()
		// What a gate that is killed had borrowed, and what it was asked meanwhile, is lost.
		if spent := valid.Load(); spent > quota || spent < quota-quota/32-1-unsure.Load() {
			t.Errorf("of %d units %d were spent, %d perhaps", quota, spent, unsure.Load())
		} else {
			t.Logf("of %d units %d were spent, and one by each of %d questions perhaps", quota, spent, unsure.Load())
		}
		for _, g := range gates[1:] {
			g.Kill()
		}
	}
}

// spend asks until nothing was left for three seconds, or until the gate is killed.
func spend(t *testing.T, g *harness.Gate, key string, killed bool, valid, unsure *atomic.Int64) {
	for last := time.Now(); time.Since(last) < 3*time.Second; {
		r, err := g.Try(http.MethodGet, "/forward/web", nil, "X-API-Key: "+key)
		switch {
		case err != nil && killed:
			unsure.Add(1)
			return
		case err == nil && r.Status == http.StatusOK:
			valid.Add(1)
			last = time.Now()
		case err != nil || r.Status != http.StatusTooManyRequests && r.Status != http.StatusServiceUnavailable:
			t.Errorf("it is %d %s, %v", r.Status, r.Raw, err)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestAGateHearsOfRevocationsUnderLoad revokes keys that a gate is asked about a thousand times a second.
func TestAGateHearsOfRevocationsUnderLoad(t *testing.T) {
	t.Parallel()
	const times = 50
	e := own(t)
	g := beside(t, e, harness.GateOptions{})
	g.Ready(t)
	var after []time.Duration
	asked := 0
	for range times {
		key := e.Issue(t, "web", "acme")
		becomes(t, g, 200, key.Text)
		answers := hammer(t, g, key.Text, 4*time.Millisecond, 4)
		time.Sleep(50 * time.Millisecond)
		e.Write(t, "revoke/"+key.ID, nil)
		revoked := time.Now()
		becomes(t, g, 401, key.Text)
		all := answers()
		last := lastGood(all).Sub(revoked)
		if asked += len(all); last > time.Second {
			t.Errorf("%v after its revocation a key is good", last)
		}
		after = append(after, last)
	}
	showQuantiles(t, after, asked)
}

// showQuantiles shows how long after their revocation keys were good.
func showQuantiles(t *testing.T, after []time.Duration, asked int) {
	t.Helper()
	slices.Sort(after)
	at := func(part float64) time.Duration {
		return after[int(part*float64(len(after)-1))].Round(100 * time.Microsecond)
	}
	t.Logf("the last 200 of %d came after p50 %v, p90 %v, p99 %v, at most %v; %d questions", len(after), at(0.5), at(0.9), at(0.99), at(1), asked)
}
