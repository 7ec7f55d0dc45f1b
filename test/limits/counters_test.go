package limits

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// told are the moments at which decisions were answered, and how many requests were cut off, which may have been counted.
type told struct {
	mu     sync.Mutex
	at     []time.Time
	cutOff int
}

func (a *told) note(answered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if answered {
		a.at = append(a.at, time.Now())
	} else {
		a.cutOff++
	}
}

// bounds are the fewest and the most decisions that a mount may count, of which those since a moment may be lost.
func (a *told) bounds(since time.Time) (least, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.at {
		if at.Before(since) {
			least++
		}
	}
	return least, len(a.at) + a.cutOff
}

// ask verifies texts by turns until told to stop.
func (e engine) ask(t *testing.T, a *told, stop <-chan struct{}, texts ...string) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		r := e.try(t, "verify", fields{"key": texts[i%len(texts)]})
		a.note(r.Status == 200)
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	}
}

// TestCountersSurviveKills kills the plugin at random moments: a kill takes nothing of what was shown before, at most what
// came within the last flush interval, and counts nothing twice.
func TestCountersSurviveKills(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, s) // flushes each second
	e.setRole(t, nil)
	keys := []key{e.issue(t, fields{"owner": "acme"}), e.issue(t, fields{"owner": "acme"})}
	e.Write(t, "revoke/"+keys[1].ID, nil)
	const kills = 8
	// A second is the interval, another what its flush may take while the machine is busy.
	const mayLose = 2 * time.Second
	n, lost := 0, 0
	for kill := range kills {
		var a told
		var clients sync.WaitGroup
		stop := make(chan struct{})
		for range 3 {
			clients.Go(func() { e.ask(t, &a, stop, keys[0].Text, keys[1].Text, "no key") })
		}
		time.Sleep(time.Duration(1500+rand.IntN(1500)) * time.Millisecond)
		killed := time.Now()
		e.KillPlugin(t)
		close(stop)
		clients.Wait()
		e.AwaitPlugin(t)
		before := n
		n = surface.Number(t, e.Read(t, "usage"), "verifications")
		least, most := a.bounds(killed.Add(-mayLose))
		if n < before+least || n > before+most {
			t.Errorf("after kill %d it counts %d, wanted %d to %d", kill, n, before+least, before+most)
		}
		lost += before + most - n
		owner := surface.Number(t, e.Read(t, "usage/owners/acme"), "verifications")
		ofKeys := 0
		for _, k := range keys {
			ofKeys += surface.Number(t, e.Read(t, "usage/keys/"+k.ID), "verifications")
		}
		if owner > n || ofKeys > owner {
			t.Errorf("after kill %d the mount counts %d, the owner %d, its keys %d", kill, n, owner, ofKeys)
		}
	}
	t.Logf("%d kills lost %d decisions, cut off ones included", kills, lost)

	// Ends in order lose nothing.
	for what, happen := range map[string]func(){"a reload": func() { s.Reload(t) }, "a restart": func() { s.Restart(t) }, "a seal": func() { s.Seal(t); s.Unseal(t) }} {
		e.WantCode(t, "valid", keys[0].Text)
		e.WantCode(t, "revoked", keys[1].Text)
		e.WantCode(t, "invalid", "no key")
		before := map[string]fields{}
		for _, path := range []string{"usage", "usage/owners/acme", "usage/keys/" + keys[0].ID, "usage/keys/" + keys[1].ID} {
			before[path] = e.Read(t, path)
		}
		happen()
		e.AwaitPlugin(t)
		for path, was := range before {
			surface.WantFields(t, path+" after "+what, e.Read(t, path), fields{"verifications": was["verifications"], "by_code": was["by_code"], "last_used_at": was["last_used_at"]})
		}
	}
}
