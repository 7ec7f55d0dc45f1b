package backend_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// buildLimitedWorld makes keys with limits, families, and keys that were stopped
// or that nobody used. Its process ended in order.
func buildLimitedWorld(t *testing.T) *world {
	w := &world{texts: map[string]string{}, ids: map[string]string{}, leases: map[string]*logical.Secret{}}
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.faulty = true
		m.flushRarely()
		limited := map[string]any{"generate_lease": false, "ttl": "20d", "max_delegation_depth": 3, "allowed_scopes": "read:*"}
		m.must("roles/limited", limited)
		m.must("roles/few", map[string]any{"generate_lease": false, "ttl": "20d", "max_keys_per_owner": 2})
		m.must("roles/idle", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "90h"})
		family := func(name, child, owner string, data map[string]any) {
			data["owner"], data["scopes"] = owner, "read:*"
			w.keep(name, m.must("issue/limited", data))
			w.keep(child, m.must("delegate", map[string]any{"key": w.texts[name]}))
		}
		family("removed", "orphan", "acme", map[string]any{"quota": 64})
		m.code(w.texts["removed"]) // leaves a quota
		m.must("revoke/"+w.ids["removed"], nil)
		w.issue(m, "idle", "idle", "")
		time.Sleep(73 * time.Hour)
		w.issue(m, "awake", "idle", "")
		family("stopped", "stopped child", "gone", map[string]any{})
		m.must("stop/owners/gone", nil)
		family("parent", "child", "acme", map[string]any{"quota": 64})
		family("spent", "spender", "acme", map[string]any{"quota": 64})
		m.must("verify", map[string]any{"key": w.texts["spent"], "cost": 10})
		w.issue(m, "one of two", "few", "below")
		w.issue(m, "two of two", "few", "full")
		w.issue(m, "second", "few", "full")
		time.Sleep(18 * time.Hour) // only the idle key has ended, 90 h after its creation
		m.backend.Cleanup(t.Context())
		w.at, w.storage = time.Now(), m.storage.clone()
	})
	return w
}

func limitTrials() []trial {
	quick := map[string]any{"owner": "below"}
	// A key that was written and whose answer was lost with the storage counts
	// like any other, until somebody revokes it.
	lost := []int{http.StatusConflict}
	trials := []trial{
		{name: "delegate", run: holding("delegate", "parent", map[string]any{"scopes": "read:a", "quota": 10, "ttl": "1h"})},
		{name: "delegate to a grandchild", run: holding("delegate", "child", nil)},
		{name: "stop an owner", run: to("stop/owners/acme", map[string]any{"reason": "r"})},
		{name: "stop an owner without keys", run: to("stop/owners/nobody", nil)},
		{name: "stop a role", run: to("stop/roles/limited", map[string]any{"reason": "r"})},
		{name: "issue below max_keys_per_owner", run: to("issue/few", quick), again: lost},
		{name: "issue to a new owner", run: to("issue/few", map[string]any{"owner": "another"})},
		{name: "issue at max_keys_per_owner", run: refused(http.StatusConflict, to("issue/few", map[string]any{"owner": "full"}))},
		{name: "revoke a parent", run: quotaApart(about("revoke/", "parent", "", nil))},
		{name: "rotate a child", run: about("rotate/", "child", "", nil)},
		{name: "limit a key", run: quotaApart(about("keys/", "parent", "", map[string]any{"quota": 5, "rate_limit": 9}))},
		{name: "tidy", run: runTidy, steps: true},
	}
	for _, name := range []string{"parent", "child", "spent", "spender"} {
		trials = append(trials, trial{name: "verify " + name, run: holding("verify", name, nil)})
	}
	return append(trials,
		trial{name: "verify briefly", run: holding("verify", "parent", map[string]any{"brief": true, "cost": 5})},
		trial{name: "verify through a stopped parent", run: holding("verify", "stopped child", nil)},
		trial{name: "verify an orphan", run: holding("verify", "orphan", nil)},
		trial{name: "authorize", run: holding("authorize", "child", nil)},
	)
}

// refused turns the refusal that is wanted into a success, and a success into a
// failure of the test.
func refused(status int, run operation) operation {
	return func(m *mount, w *world) answer {
		a := run(m, w)
		switch {
		case a.ok():
			m.t.Error("what was to be refused was done")
		case a.status == status:
			return answer{status: http.StatusOK}
		}
		return a
	}
}

// quotaApart leaves out what remains of a quota: a change that was made is
// answered with, whether or not that can be read.
func quotaApart(run operation) operation {
	return func(m *mount, w *world) answer {
		a := run(m, w)
		delete(a.data, "quota_remaining")
		delete(a.data, "quota_resets_at")
		return a
	}
}

// TestEachStorageCallOfLimitsFailsOnce is the matrix for limits, delegation and
// stops.
func TestEachStorageCallOfLimitsFailsOnce(t *testing.T) {
	w := buildLimitedWorld(t)
	for _, tr := range limitTrials() {
		t.Run(tr.name, func(t *testing.T) {
			tr.breakEach(t, w, false)
			if !tr.steps {
				tr.breakEach(t, w, true)
			}
		})
	}
}
