package world

import (
	"bytes"
	"net/http"
	"slices"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// Operation is something to do with a world.
type Operation func(m *mount.Mount, w *World) mount.Answer

// Trial is one operation of the matrix.
type Trial struct {
	Name string
	Run  Operation
	// Again are the statuses of a repetition after an error, besides success.
	Again []int
	// Steps marks work of many steps, each of which happens or does not. It is
	// broken on a mount that has read nothing: there it makes all of its calls.
	Steps bool
}

// Trials are the operations whose storage calls are broken one by one.
func Trials() []Trial {
	return slices.Concat(Mints(), Changes(), leaseTrials(), readTrials(), []Trial{
		{Name: "tidy", Run: runTidy, Steps: true},
	})
}

// Mints are those that make keys and versions.
func Mints() []Trial {
	atOnce := map[string]any{"grace_period": 0}
	return []Trial{
		{Name: "issue for a new owner", Run: To("issue/web", map[string]any{"owner": "newcomer"})},
		{Name: "issue for an owner", Run: To("issue/web", map[string]any{"owner": "acme"})},
		{Name: "issue without an owner", Run: To("issue/web", nil)},
		{Name: "issue with a lease", Run: To("issue", map[string]any{"role": "svc", "owner": "acme"})},
		{Name: "issue a sealed key", Run: To("issue/svc", sealing)},
		{Name: "declare a key", Run: To("static-keys/new", map[string]any{"role": "svc", "owner": "newcomer"})},
		{Name: "declare a sealed key", Run: To("static-keys/new", map[string]any{"role": "svc", "recipients": opener.Known})},
		{Name: "declare a key anew", Run: To("static-keys/undeclared", map[string]any{"role": "web"})},
		{Name: "rotate a declared key", Run: To("static-keys/declared/rotate", nil)},
		{Name: "rotate", Run: About("rotate/", "owned", "", nil)},
		{Name: "rotate a sealed key", Run: About("rotate/", "sealed", "", nil)},
		{Name: "rotate to a recipient", Run: About("rotate/", "owned", "", sealing)},
		{Name: "rotate at once", Run: About("rotate/", "owned", "", atOnce)},
		{Name: "rotate with a lease at once", Run: About("rotate/", "leased", "", atOnce)},
		{Name: "rotate again", Run: About("rotate/", "new", "", nil)},
		{Name: "rotate by key", Run: Holding("rotate", "owned", nil), Again: []int{http.StatusConflict}},
		// Repeated after the ambiguous case the old key is superseded.
		{Name: "rotate by key at once", Run: Holding("rotate", "leased", atOnce), Again: []int{http.StatusConflict}},
		{Name: "rotate to wait", Run: About("rotate/", "owned", "", waits)},
		{Name: "rotate to wait with a lease", Run: About("rotate/", "leased", "", waits)},
		{Name: "rotate to wait again", Run: About("rotate/", "waiting", "", waits)},
		{Name: "rotate what waits", Run: About("rotate/", "waiting", "", nil)},
		{Name: "rotate by a key that waits", Run: Holding("rotate", "waiting", nil), Again: []int{http.StatusConflict}},
		{Name: "delegate by a key that waits", Run: Holding("delegate", "waiting", nil), Steps: true}, // the parent, then the child
		{Name: "rotate an owner's key", Run: About("owners/acme/keys/", "owned", "/rotate", atOnce)},
	}
}

// Changes are those that change and end what is there.
func Changes() []Trial {
	return []Trial{
		{Name: "revoke", Run: About("revoke/", "owned", "", map[string]any{"reason": "r"})},
		{Name: "revoke by key", Run: Holding("revoke", "new leased", nil)},
		{Name: "revoke by an old key", Run: Holding("revoke", "old", nil)},
		{Name: "revoke an owner's key", Run: About("owners/acme/keys/", "owned", "/revoke", nil)},
		{Name: "revoke again", Run: About("revoke/", "revoked", "", nil)},
		{Name: "update", Run: About("keys/", "owned", "", map[string]any{"disabled": true, "scopes": []string{"read:a"}, "bound_cidrs": "10.0.0.0/8"})},
		{Name: "update recipients", Run: About("keys/", "owned", "", sealing)},
		{Name: "change a declared key", Run: To("static-keys/declared", map[string]any{"name": "other", "ttl": "1h"})},
		{Name: "delete a declared key", Run: deletingAt("static-keys/declared")},
		{Name: "delete what was declared", Run: deletingAt("static-keys/undeclared")},
		{Name: "delete a declared key by its id", Run: deleting("keys/", "declared")},
		{Name: "revoke a declared key", Run: About("revoke/", "declared", "", nil)},
		{Name: "enable", Run: About("keys/", "disabled", "", map[string]any{"disabled": false})},
		{Name: "rollback", Run: About("rotate/", "waiting", "/rollback", map[string]any{"reason": "r"}), Again: []int{http.StatusConflict}},
		{Name: "rollback in grace", Run: About("owners/acme/keys/", "old", "/rotate/rollback", nil), Again: []int{http.StatusConflict}},
		{Name: "rollback with leases", Run: About("rotate/", "old leased", "/rollback", nil), Again: []int{http.StatusConflict}},
		{Name: "finish", Run: About("rotate/", "waiting", "/finish", nil), Again: []int{http.StatusConflict}},
		{Name: "finish with a grace", Run: About("rotate/", "waiting leased", "/finish", map[string]any{"grace_period": 60})},
		{Name: "finish in grace", Run: About("rotate/", "old", "/finish", nil), Again: []int{http.StatusConflict}},
		{Name: "use what waits", Run: using("waiting"), Steps: true},
		{Name: "delete", Run: deleting("keys/", "owned")},
		{Name: "delete a key without owner", Run: deleting("keys/", "leased")},
		{Name: "delete an owner's key", Run: deleting("owners/acme/keys/", "owned")},
		{Name: "make a role", Run: To("roles/made", map[string]any{"ttl": "1h"})},
		{Name: "disable a role", Run: To("roles/web", map[string]any{"disabled": true})},
		{Name: "delete an unused role", Run: deletingAt("roles/unused")},
		{Name: "delete a role whose keys expired", Run: deletingAt("roles/brief")},
		{Name: "configure", Run: To("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "default_prefix": "abc"})},
	}
}

func leaseTrials() []Trial {
	return []Trial{
		{Name: "renew", Run: renewing("leased")},
		{Name: "renew in grace", Run: renewing("old leased")},
		{Name: "end a lease", Run: ending("leased")},
		{Name: "end the lease of a rotated key", Run: ending("new leased")},
		{Name: "renew what waits", Run: renewing("waiting leased")},
		{Name: "renew what is waited for", Run: renewing("waited for leased")},
		{Name: "end the lease of what waits", Run: ending("waiting leased")},
		{Name: "end the lease of what is waited for", Run: ending("waited for leased")},
		{Name: "end a lease in grace", Run: ending("old leased")},
	}
}

func readTrials() []Trial {
	trials := []Trial{
		{Name: "list keys", Run: listing("keys/")},
		{Name: "list an owner's keys", Run: listing("owners/acme/keys/")},
		{Name: "list owners", Run: listing("owners/")},
		{Name: "list roles", Run: listing("roles/")},
		{Name: "read usage", Run: reading("usage")},
		{Name: "read an owner's usage", Run: reading("usage/owners/acme")},
		{Name: "read a key's usage", Run: func(m *mount.Mount, w *World) mount.Answer { return m.Read("usage/keys/" + w.IDs["owned"]) }},
		{Name: "list static names", Run: listing("static-keys/")},
		{Name: "read a declared key", Run: reading("static-keys/declared")},
	}
	for _, name := range []string{"owned", "leased", "old", "new", "revoked", "expired", "disabled", "waited for"} {
		trials = append(trials,
			Trial{Name: "verify " + name, Run: Holding("verify", name, nil)},
			Trial{Name: "read " + name, Run: func(m *mount.Mount, w *World) mount.Answer { return m.Read("keys/" + w.IDs[name]) }},
		)
	}
	return append(trials, Trial{Name: "verify for a role", Run: Holding("verify/web", "owned", nil)})
}

func reading(path string) Operation {
	return func(m *mount.Mount, _ *World) mount.Answer { return m.Read(path) }
}

// To writes data to a path.
func To(path string, data map[string]any) Operation {
	return func(m *mount.Mount, _ *World) mount.Answer { return m.Write(path, data) }
}

// About writes to the path of a key.
func About(before, name, after string, data map[string]any) Operation {
	return func(m *mount.Mount, w *World) mount.Answer { return m.Write(before+w.IDs[name]+after, data) }
}

// Holding presents a key.
func Holding(path, name string, data map[string]any) Operation {
	return func(m *mount.Mount, w *World) mount.Answer {
		with := map[string]any{"key": w.Texts[name]}
		for k, v := range data {
			with[k] = v
		}
		return m.Write(path, with)
	}
}

func deleting(before, name string) Operation {
	return func(m *mount.Mount, w *World) mount.Answer {
		return m.Do(logical.DeleteOperation, before+w.IDs[name], nil)
	}
}

func deletingAt(path string) Operation {
	return func(m *mount.Mount, _ *World) mount.Answer { return m.Do(logical.DeleteOperation, path, nil) }
}

func listing(path string) Operation {
	return func(m *mount.Mount, _ *World) mount.Answer { return m.Do(logical.ListOperation, path, nil) }
}

func renewing(name string) Operation {
	return func(m *mount.Mount, w *World) mount.Answer { return m.Renew(w.Leases[name], 0) }
}

func ending(name string) Operation {
	return func(m *mount.Mount, w *World) mount.Answer { return m.EndLease(w.Leases[name]) }
}

// using verifies a version that waits, and answers an error where that is not written
// some seconds later.
func using(name string) Operation {
	return func(m *mount.Mount, w *World) mount.Answer {
		a := Holding("verify", name, nil)(m, w)
		time.Sleep(5 * time.Second)
		id := w.IDs[name]
		if a.OK() && !bytes.Contains(m.Storage.Dump()["key/"+id[:2]+"/"+id], []byte(`"activated_at"`)) {
			return mount.Answer{Status: http.StatusInternalServerError, Text: "internal error"}
		}
		return a
	}
}

// runTidy answers an error where tidy failed.
func runTidy(m *mount.Mount, _ *World) mount.Answer {
	a := m.Write("tidy", nil)
	synctest.Wait()
	a.Data = map[string]any{} // times and counts are not compared
	if state := m.Read("tidy-status").Str("state"); state != "done" {
		return mount.Answer{Status: http.StatusInternalServerError, Text: "internal error"}
	}
	return a
}
