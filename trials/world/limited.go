package world

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// BuildLimited makes keys with limits, families, and keys that were stopped
// or that nobody used. Its process ended in order.
func BuildLimited(t *testing.T) *World {
	w := empty()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Faulty = true
		m.FlushRarely()
		limited := map[string]any{"generate_lease": false, "ttl": "20d", "max_delegation_depth": 3, "allowed_scopes": "read:*"}
		m.Must("roles/limited", limited)
		m.Must("roles/few", map[string]any{"generate_lease": false, "ttl": "20d", "max_keys_per_owner": 2})
		m.Must("roles/idle", map[string]any{"generate_lease": false, "ttl": "20d", "idle_timeout": "90h"})
		family := func(name, child, owner string, data map[string]any) {
			data["owner"], data["scopes"] = owner, "read:*"
			w.Keep(name, m.Must("issue/limited", data))
			w.Keep(child, m.Must("delegate", map[string]any{"key": w.Texts[name]}))
		}
		family("removed", "orphan", "acme", map[string]any{"quota": 64})
		m.Code(w.Texts["removed"]) // leaves a quota
		m.Must("revoke/"+w.IDs["removed"], nil)
		w.Issue(m, "idle", "idle", "")
		time.Sleep(73 * time.Hour)
		w.Issue(m, "awake", "idle", "")
		family("stopped", "stopped child", "gone", map[string]any{})
		m.Must("stop/owners/gone", nil)
		family("parent", "child", "acme", map[string]any{"quota": 64})
		family("spent", "spender", "acme", map[string]any{"quota": 64})
		m.Must("verify", map[string]any{"key": w.Texts["spent"], "cost": 10})
		w.Issue(m, "one of two", "few", "below")
		w.Issue(m, "two of two", "few", "full")
		w.Issue(m, "second", "few", "full")
		time.Sleep(18 * time.Hour) // only the idle key has ended, 90 h after its creation
		m.Backend.Cleanup(t.Context())
		w.At, w.Storage = time.Now(), m.Storage.Clone()
	})
	return w
}

// LimitTrials are those of limits, delegation and stops.
func LimitTrials() []Trial {
	quick := map[string]any{"owner": "below"}
	// A key that was written and whose answer was lost with the storage counts
	// like any other, until somebody revokes it.
	lost := []int{http.StatusConflict}
	trials := []Trial{
		{Name: "delegate", Run: Holding("delegate", "parent", map[string]any{"scopes": "read:a", "quota": 10, "ttl": "1h"})},
		{Name: "delegate to a grandchild", Run: Holding("delegate", "child", nil)},
		{Name: "stop an owner", Run: To("stop/owners/acme", map[string]any{"reason": "r"})},
		{Name: "stop an owner without keys", Run: To("stop/owners/nobody", nil)},
		{Name: "stop a role", Run: To("stop/roles/limited", map[string]any{"reason": "r"})},
		{Name: "issue below max_keys_per_owner", Run: To("issue/few", quick), Again: lost},
		{Name: "issue to a new owner", Run: To("issue/few", map[string]any{"owner": "another"})},
		{Name: "issue at max_keys_per_owner", Run: refused(http.StatusConflict, To("issue/few", map[string]any{"owner": "full"}))},
		{Name: "revoke a parent", Run: quotaApart(About("revoke/", "parent", "", nil))},
		{Name: "rotate a child", Run: About("rotate/", "child", "", nil)},
		{Name: "limit a key", Run: quotaApart(About("keys/", "parent", "", map[string]any{"quota": 5, "rate_limit": 9}))},
		{Name: "tidy", Run: runTidy, Steps: true},
	}
	for _, name := range []string{"parent", "child", "spent", "spender"} {
		trials = append(trials, Trial{Name: "verify " + name, Run: Holding("verify", name, nil)})
	}
	return append(trials,
		Trial{Name: "verify briefly", Run: Holding("verify", "parent", map[string]any{"brief": true, "cost": 5})},
		Trial{Name: "verify through a stopped parent", Run: Holding("verify", "stopped child", nil)},
		Trial{Name: "verify an orphan", Run: Holding("verify", "orphan", nil)},
		Trial{Name: "authorize", Run: Holding("authorize", "child", nil)},
	)
}

// refused turns the refusal that is wanted into a success, and a success into a
// failure of the test.
func refused(status int, run Operation) Operation {
	return func(m *mount.Mount, w *World) mount.Answer {
		a := run(m, w)
		switch {
		case a.OK():
			m.T.Error("what was to be refused was done")
		case a.Status == status:
			return mount.Answer{Status: http.StatusOK}
		}
		return a
	}
}

// quotaApart leaves out what remains of a quota: a change that was made is
// answered with, whether or not that can be read.
func quotaApart(run Operation) Operation {
	return func(m *mount.Mount, w *World) mount.Answer {
		a := run(m, w)
		delete(a.Data, "quota_remaining")
		delete(a.Data, "quota_resets_at")
		return a
	}
}
