package backend_test

import (
	"net/http"
	"slices"
	"testing/synctest"

	"github.com/hashicorp/vault/sdk/logical"
)

// trials are the operations whose storage calls are broken one by one.
func trials() []trial {
	return slices.Concat(mintTrials(), changeTrials(), leaseTrials(), readTrials(), []trial{
		{name: "tidy", run: runTidy, steps: true},
	})
}

func mintTrials() []trial {
	atOnce := map[string]any{"grace_period": 0}
	return []trial{
		{name: "issue for a new owner", run: to("issue/web", map[string]any{"owner": "newcomer"})},
		{name: "issue for an owner", run: to("issue/web", map[string]any{"owner": "acme"})},
		{name: "issue without an owner", run: to("issue/web", nil)},
		{name: "issue with a lease", run: to("issue", map[string]any{"role": "svc", "owner": "acme"})},
		{name: "rotate", run: about("rotate/", "owned", "", nil)},
		{name: "rotate at once", run: about("rotate/", "owned", "", atOnce)},
		{name: "rotate with a lease at once", run: about("rotate/", "leased", "", atOnce)},
		{name: "rotate again", run: about("rotate/", "new", "", nil)},
		{name: "rotate by key", run: holding("rotate", "owned", nil), again: []int{http.StatusConflict}},
		// Repeated after the ambiguous case the old key is superseded.
		{name: "rotate by key at once", run: holding("rotate", "leased", atOnce), again: []int{http.StatusConflict}},
		{name: "rotate an owner's key", run: about("owners/acme/keys/", "owned", "/rotate", atOnce)},
	}
}

func changeTrials() []trial {
	return []trial{
		{name: "revoke", run: about("revoke/", "owned", "", map[string]any{"reason": "r"})},
		{name: "revoke by key", run: holding("revoke", "new leased", nil)},
		{name: "revoke by an old key", run: holding("revoke", "old", nil)},
		{name: "revoke an owner's key", run: about("owners/acme/keys/", "owned", "/revoke", nil)},
		{name: "revoke again", run: about("revoke/", "revoked", "", nil)},
		{name: "update", run: about("keys/", "owned", "", map[string]any{"disabled": true, "scopes": []string{"read:a"}, "bound_cidrs": "10.0.0.0/8"})},
		{name: "enable", run: about("keys/", "disabled", "", map[string]any{"disabled": false})},
		{name: "delete", run: deleting("keys/", "owned")},
		{name: "delete a key without owner", run: deleting("keys/", "leased")},
		{name: "delete an owner's key", run: deleting("owners/acme/keys/", "owned")},
		{name: "make a role", run: to("roles/made", map[string]any{"ttl": "1h"})},
		{name: "disable a role", run: to("roles/web", map[string]any{"disabled": true})},
		{name: "delete an unused role", run: deletingRole("unused")},
		{name: "delete a role whose keys expired", run: deletingRole("brief")},
		{name: "configure", run: to("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "default_prefix": "abc"})},
	}
}

func leaseTrials() []trial {
	return []trial{
		{name: "renew", run: renewing("leased")},
		{name: "renew in grace", run: renewing("old leased")},
		{name: "end a lease", run: ending("leased")},
		{name: "end the lease of a rotated key", run: ending("new leased")},
		{name: "end a lease in grace", run: ending("old leased")},
	}
}

func readTrials() []trial {
	trials := []trial{
		{name: "list keys", run: listing("keys/")},
		{name: "list an owner's keys", run: listing("owners/acme/keys/")},
		{name: "list owners", run: listing("owners/")},
		{name: "list roles", run: listing("roles/")},
	}
	for _, name := range []string{"owned", "leased", "old", "new", "revoked", "expired", "disabled"} {
		trials = append(trials,
			trial{name: "verify " + name, run: holding("verify", name, nil)},
			trial{name: "read " + name, run: func(m *mount, w *world) answer { return m.read("keys/" + w.ids[name]) }},
		)
	}
	return append(trials, trial{name: "verify for a role", run: holding("verify/web", "owned", nil)})
}

// to writes data to a path.
func to(path string, data map[string]any) operation {
	return func(m *mount, _ *world) answer { return m.write(path, data) }
}

// about writes to the path of a key.
func about(before, name, after string, data map[string]any) operation {
	return func(m *mount, w *world) answer { return m.write(before+w.ids[name]+after, data) }
}

// holding presents a key.
func holding(path, name string, data map[string]any) operation {
	return func(m *mount, w *world) answer {
		with := map[string]any{"key": w.texts[name]}
		for k, v := range data {
			with[k] = v
		}
		return m.write(path, with)
	}
}

func deleting(before, name string) operation {
	return func(m *mount, w *world) answer { return m.do(logical.DeleteOperation, before+w.ids[name], nil) }
}

func deletingRole(name string) operation {
	return func(m *mount, _ *world) answer { return m.do(logical.DeleteOperation, "roles/"+name, nil) }
}

func listing(path string) operation {
	return func(m *mount, _ *world) answer { return m.do(logical.ListOperation, path, nil) }
}

func renewing(name string) operation {
	return func(m *mount, w *world) answer { return m.renew(w.leases[name], 0) }
}

func ending(name string) operation {
	return func(m *mount, w *world) answer { return m.endLease(w.leases[name]) }
}

// runTidy answers an error where tidy failed.
func runTidy(m *mount, _ *world) answer {
	a := m.write("tidy", nil)
	synctest.Wait()
	a.data = map[string]any{} // times and counts are not compared
	if state := m.read("tidy-status").str("state"); state != "done" {
		return answer{status: http.StatusInternalServerError, text: "internal error"}
	}
	return a
}
