package limits

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// asked is what verifications were answered with, by all of a test's clients.
type asked struct{ valid, failed atomic.Int64 }

// spend verifies texts by turns until told to stop.
func (e engine) spend(t *testing.T, a *asked, stop <-chan struct{}, texts ...string) {
	for i := rand.IntN(len(texts)); ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		r := e.try(t, "verify", fields{"key": texts[i%len(texts)]})
		switch d := r.Data(); {
		case r.Status != 200:
			a.failed.Add(1)
			time.Sleep(20 * time.Millisecond)
		case d["code"] == "valid":
			a.valid.Add(1)
			time.Sleep(5 * time.Millisecond)
		case d["code"] != "quota_exceeded":
			t.Errorf("verify answers %v", d["code"])
		}
	}
}

// TestKillsNeverOverspendAQuotaAndLoseABlockAtMost counts what clients were told, through kills at random moments. A
// request that a kill cut off may have spent.
func TestKillsNeverOverspendAQuotaAndLoseABlockAtMost(t *testing.T) {
	t.Parallel()
	e := mountedOn(t, harness.Start(t, harness.Options{Plugin: true}))
	e.children(t, nil)
	const quota, kills = 640, 4
	k := e.issue(t, fields{"quota": quota})
	child := e.delegate(t, k, fields{"quota": quota})
	rotated := e.rotate(t, k, nil)
	var a asked
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		clients.Go(func() { e.spend(t, &a, stop, k.Text, rotated.Text, child.Text) })
	}
	for range kills {
		time.Sleep(time.Duration(150+rand.IntN(300)) * time.Millisecond)
		e.KillPlugin(t)
	}
	close(stop)
	clients.Wait()
	under := a.valid.Load()
	for e.Verify(t, rotated.Text)["valid"] == true {
		a.valid.Add(1)
	}
	valid, failed := int(a.valid.Load()), int(a.failed.Load())
	t.Logf("%d valid, %d of them amid kills, %d cut off", valid, under, failed)
	if valid > quota {
		t.Errorf("%d verifications were valid, of a quota of %d", valid, quota)
	}
	// The largest block is the first, of the root's and of nobody else's: the child's quota is as large.
	const block = quota / 32
	if least := quota - kills*block; valid+failed < least {
		t.Errorf("%d verifications were valid and %d cut off, wanted %d at least", valid, failed, least)
	}
	surface.WantFields(t, "the key", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 0})
}

// TestAKillBetweenRequestsLosesTheReservedBlockAndNothingElse has one client, which is never cut off.
func TestAKillBetweenRequestsLosesTheReservedBlockAndNothingElse(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, s)
	k := e.issue(t, fields{"quota": 100})
	other := e.issue(t, fields{"quota": 100})
	remaining := 100
	for _, cost := range []int{1, 10, 30} {
		e.WantCode(t, "valid", k.Text, fields{"cost": cost})
		surface.WantFields(t, "before a kill", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": remaining - cost})
		block := max(1, remaining/32)
		e.KillPlugin(t)
		left := surface.Number(t, e.Read(t, "keys/"+k.ID), "quota_remaining")
		if left > remaining-cost || left < remaining-cost-block {
			t.Errorf("of %d, %d were spent and %d are left after a kill", remaining, cost, left)
		}
		remaining = left
	}
	surface.WantFields(t, "an unused key", e.Read(t, "keys/"+other.ID), fields{"quota_remaining": 100})

	// Ends in order lose nothing.
	for what, happen := range map[string]func(){"a reload": func() { s.Reload(t) }, "a restart": func() { s.Restart(t) }, "a seal": func() { s.Seal(t); s.Unseal(t) }} {
		e.WantCode(t, "valid", k.Text)
		remaining--
		happen()
		if left := surface.Number(t, e.Read(t, "keys/"+k.ID), "quota_remaining"); left != remaining {
			t.Errorf("after %s %d are left, wanted %d", what, left, remaining)
		}
	}
	e.WantCode(t, "quota_exceeded", k.Text, fields{"cost": remaining + 1})
	e.WantCode(t, "valid", k.Text, fields{"cost": remaining})
	e.WantCode(t, "quota_exceeded", k.Text)
	s.Restart(t)
	e.WantCode(t, "quota_exceeded", k.Text)
	surface.WantFields(t, "an unused key", e.Read(t, "keys/"+other.ID), fields{"quota_remaining": 100})
}
