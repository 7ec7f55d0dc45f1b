package gate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// poller is one process of a gate that asks what changed.
type poller struct {
	surface.Engine
	run, cursor string
}

// polling is one that knows the newest cursor.
func polling(t *testing.T, e surface.Engine, run string) *poller {
	t.Helper()
	p := &poller{Engine: e, run: run}
	if first := p.poll(t, 0).Data(); first["reset"] != true {
		t.Errorf("the first answer is %v", first)
	}
	return p
}

// poll asks what changed, and goes on from there where it is told.
func (p *poller) poll(t *testing.T, wait time.Duration) harness.Response {
	t.Helper()
	r := p.Ask(t, http.MethodPost, "gate/changes", fields{
		"gate": "edge-1", "run": p.run, "nonce": "n1", "cursor": p.cursor, "wait": wait.Milliseconds(), "max_staleness": 10000,
	})
	if data := r.Data(); r.Status == http.StatusOK && data["nonce"] == "n1" {
		p.cursor, _ = data["cursor"].(string)
	}
	return r
}

// later is the answer to a poll that waits, and when it came.
func (p *poller) later(t *testing.T, wait time.Duration) func() (harness.Response, time.Time) {
	t.Helper()
	var r harness.Response
	var at time.Time
	var asking sync.WaitGroup
	asking.Go(func() { r, at = p.poll(t, wait), time.Now() })
	time.Sleep(100 * time.Millisecond) // until it waits
	return func() (harness.Response, time.Time) { asking.Wait(); return r, at }
}

func TestAGateIsToldOfEachKindOfChange(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/leased", fields{"ttl": "1h"})
	var slowest time.Duration
	told := func(what, name string, do func()) {
		t.Helper()
		p := polling(t, e, "told")
		answer := p.later(t, 5*time.Second)
		do()
		done := time.Now()
		r, at := answer()
		changes, _ := r.Data()["changes"].([]any)
		if !slices.Contains(changes, any(name)) || r.Data()["reset"] != false {
			t.Errorf("of %s it was told %s", what, r.Raw)
		}
		slowest = max(slowest, at.Sub(done))
	}
	write := func(path string, body fields) func() { return func() { t.Helper(); e.Write(t, path, body) } }
	k := e.Issue(t, "web", "acme")
	key, path := "key:"+k.ID, "keys/"+k.ID
	told("a change of a key", key, write(path, fields{"scopes": []string{"read:orders"}, "bound_cidrs": "10.0.0.0/8"}))
	told("a limit", key, write(path, fields{"quota": 1000}))
	told("a key that is disabled", key, write(path, fields{"disabled": true}))
	told("one that is enabled", key, write(path, fields{"disabled": false, "bound_cidrs": []string{}}))
	told("a rotation", key, write("rotate/"+k.ID, fields{"grace_period": 60}))
	told("its end", key, write("rotate/"+k.ID+"/finish", nil))
	next := e.Minted(t, "rotate/"+k.ID, fields{"activation": "first_use"})
	told("a first use", key, func() { e.WantCode(t, "valid", next.Text) })
	told("a rollback", key, write("rotate/"+k.ID+"/rollback", nil))
	told("a revocation", key, write("revoke/"+k.ID, nil))
	told("a deletion", key, func() { e.Want(t, http.StatusNoContent, "DELETE", path, nil) })
	leased := e.Minted(t, "issue/leased", fields{})
	told("the end of a lease", "key:"+leased.ID, func() {
		e.Expect(t, http.StatusNoContent, "PUT", "sys/leases/revoke", fields{"lease_id": leased.Lease, "sync": true})
	})
	near := e.Issue(t, "web", "acme")
	trap, _ := e.Write(t, "honeytokens/here", fields{"role": "web", "disables": []string{near.ID}})["key"].(string)
	told("what a honeytoken disables", "key:"+near.ID, func() { e.WantCode(t, "invalid", trap) })
	told("a change of a role", "role:web", write("roles/web", fields{"rate_limit": 1000}))
	told("the stop of an owner", "owner:acme", write("stop/owners/acme", nil))
	told("the stop of a role", "role:web", write("stop/roles/web", nil))
	told("the end of a role", "role:web", func() { e.Want(t, http.StatusNoContent, "DELETE", "roles/web", nil) })
	if slowest > time.Second {
		t.Errorf("one was told %v after it was answered", slowest)
	}
	t.Logf("at the latest a change was told %v after it was answered", slowest)
}

func TestAGateIsNotToldOfWhatNarrowsNothing(t *testing.T) {
	e := mounted(t)
	e.Write(t, "roles/leased", fields{"ttl": "1h"})
	leased := e.Minted(t, "issue/leased", fields{})
	p := polling(t, e, "quiet")
	answer := p.later(t, time.Second)
	begun := time.Now()
	e.Issue(t, "web", "newcomer")
	e.Expect(t, http.StatusOK, "PUT", "sys/leases/renew", fields{"lease_id": leased.Lease, "increment": 7200})
	r, at := answer()
	if changes, _ := r.Data()["changes"].([]any); at.Sub(begun) < 700*time.Millisecond || !slices.Equal(changes, []any{"key:" + leased.ID}) {
		t.Errorf("after %v it was told %s", at.Sub(begun), r.Raw)
	}
}

func TestAnOperatorSeesWhatAGateHasHeard(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	p := polling(t, e, "seen")
	p.poll(t, 0)
	current := func() any {
		runs, _ := e.Read(t, "gates/edge-1")["runs"].(fields)
		run, _ := runs["seen"].(fields)
		return run["current"]
	}
	if names := e.Want(t, http.StatusOK, "LIST", "gates", nil).Data()["keys"]; fmt.Sprint(names) != "[edge-1]" || current() != true {
		t.Errorf("the gates are %v, current: %v", names, current())
	}
	e.Write(t, "revoke/"+k.ID, nil)
	if current() != false {
		t.Error("a revocation that it has not heard of does not show")
	}
	if p.poll(t, 0); current() != false {
		t.Error("an answer counts as heard before the gate says so")
	}
	if p.poll(t, 0); current() != true {
		t.Error("what it has heard of does not show")
	}
}

// Parked polls hold up what needs the whole of Vault or of the mount, and no longer than they wait.
func TestParkedPollsEndInTime(t *testing.T) {
	const wait = 2 * time.Second
	s := harness.Start(t, harness.Options{Plugin: true})
	for name, do := range map[string]func(e surface.Engine){
		"a reload":    func(surface.Engine) { s.Reload(t) },
		"a seal":      func(surface.Engine) { s.Seal(t); s.Unseal(t) },
		"its unmount": func(e surface.Engine) { s.Unmount(t, e.Mount) },
	} {
		e := surface.At(t, s, "ended-by-"+strings.Fields(name)[1])
		idle := time.Now()
		do(surface.At(t, s, "free-"+strings.Fields(name)[1]))
		alone := time.Since(idle)
		if name == "a seal" {
			e.AwaitPlugin(t)
		}
		var answers []func() (harness.Response, time.Time)
		var polls []*poller
		for n := range 20 {
			p := polling(t, e, fmt.Sprint("run-", n))
			polls, answers = append(polls, p), append(answers, p.later(t, wait))
		}
		begun := time.Now()
		do(e)
		if took := time.Since(begun); took > alone+wait+time.Second {
			t.Errorf("%s took %v, alone %v", name, took, alone)
		}
		for _, answer := range answers {
			if r, at := answer(); at.Sub(begun) > wait+time.Second || r.Status == http.StatusOK && len(r.Data()) == 0 {
				t.Errorf("%s: a poll was answered after %v: %d %s", name, at.Sub(begun), r.Status, r.Raw)
			}
		}
		if name == "its unmount" {
			continue
		}
		e.AwaitPlugin(t)
		if r := polls[0].poll(t, wait); r.Data()["reset"] != true {
			t.Errorf("after %s the next process answers %s", name, r.Raw)
		}
	}
}
