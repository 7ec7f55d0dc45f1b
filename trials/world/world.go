// Package world is a mount with keys in every state, to be opened again and again at the same moment of fake time, and
// the operations that can be tried on them.
package world

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// Records are the entries that an operation writes to decide something; the others
// are hints, static names, which are free until their key is written, and what is
// counted and watched, which is written at any time.
func Records(dump map[string][]byte) map[string][]byte {
	maps.DeleteFunc(dump, func(path string, value []byte) bool {
		owner := strings.HasPrefix(path, "owner/") && bytes.Contains(value, []byte(`"generation":0`)) // a stop is no hint
		return owner || strings.HasPrefix(path, "owner-key/") || strings.HasPrefix(path, "role-key/") || strings.HasPrefix(path, "roster/") || strings.HasPrefix(path, "static/") || strings.HasPrefix(path, "usage/") || strings.HasPrefix(path, "alert/")
	})
	return dump
}

// Coherent holds what the mount says, from its caches, against what one says
// that was just started on the same storage.
func Coherent(t *testing.T, w *World, m *mount.Mount) {
	t.Helper()
	says, stored := w.Observe(m), w.told(m)
	for what := range stored {
		if says[what] != stored[what] {
			t.Errorf("%s: the mount answers\n%s\nand after a restart\n%s", what, says[what], stored[what])
		}
	}
}

// told is what a mount tells that was just started on the storage of another, which is
// the same for the same storage at the same moment: most faults leave one of two.
func (w *World) told(m *mount.Mount) map[string]string {
	of, dump := sha256.New(), m.Storage.Dump()
	fmt.Fprint(of, time.Now(), m.System.ReplicationState())
	for _, path := range m.Storage.Paths() {
		fmt.Fprintf(of, "%q %q", path, dump[path])
	}
	found := string(of.Sum(nil))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tales[found] == nil {
		fresh := &mount.Mount{T: m.T, Storage: m.Storage.Clone(), System: m.System, Log: new(mount.Journal), Ctx: m.Ctx}
		fresh.Open()
		defer fresh.Backend.Cleanup(m.Ctx)
		w.tales[found] = w.Observe(fresh)
	}
	return w.tales[found]
}

// sealing are parameters of a key that is sealed.
var sealing = map[string]any{"recipients": opener.Known}

// waits are parameters of a rotation that takes effect later.
var waits = map[string]any{"activation": "first_use", "grace_period": 600}

// World is a mount with keys in every state, kept to be opened again and again
// at the same moment of fake time.
type World struct {
	At      time.Time
	Storage *memory.Storage
	Texts   map[string]string // of keys, by what they stand for
	IDs     map[string]string
	Leases  map[string]*logical.Secret
	Trap    string // the text of a honeytoken, which disables the key "owned"

	mu    sync.Mutex
	tales map[string]map[string]string
}

func empty() *World {
	return &World{Texts: map[string]string{}, IDs: map[string]string{}, Leases: map[string]*logical.Secret{}, tales: map[string]map[string]string{}}
}

// Build makes the world. Keys are named by what became of them.
func Build(t *testing.T) *World {
	w := empty()
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Faulty = true // it ends with what a crash left behind
		m.FlushRarely()
		m.Must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "grace_period": "1h", "allowed_scopes": "read:*", "max_delegation_depth": 1})
		m.Must("roles/svc", map[string]any{"ttl": "20d", "grace_period": "1h"})
		m.Must("roles/unused", nil)
		w.Issue(m, "removable", "web", "ghost")
		m.Must("revoke/"+w.IDs["removable"], nil)
		m.Must("roles/brief", map[string]any{"generate_lease": false, "ttl": 60})
		w.Issue(m, "expired", "brief", "acme")
		time.Sleep(73 * time.Hour)
		w.Issue(m, "owned", "web", "acme")
		w.Issue(m, "plain", "web", "")
		w.Issue(m, "leased", "svc", "")
		w.Issue(m, "revoked", "web", "acme")
		m.Must("revoke/"+w.IDs["revoked"], map[string]any{"reason": "r"})
		w.Issue(m, "disabled", "web", "acme")
		m.Must("keys/"+w.IDs["disabled"], map[string]any{"disabled": true})
		w.Issue(m, "old", "web", "acme")
		w.Rotate(m, "old", "new")
		w.Keep("sealed", m.Must("issue/svc", sealing))
		w.Keep("declared", m.Must("static-keys/declared", map[string]any{"role": "svc", "owner": "acme"}))
		w.Keep("undeclared", m.Must("static-keys/undeclared", map[string]any{"role": "svc"}))
		m.Must("revoke/"+w.IDs["undeclared"], nil)
		w.Issue(m, "old leased", "svc", "acme")
		w.Rotate(m, "old leased", "new leased")
		w.Issue(m, "waited for", "web", "acme")
		w.Keep("waiting", m.Must("rotate/"+w.IDs["waited for"], waits))
		w.Issue(m, "waited for leased", "svc", "acme")
		w.Keep("waiting leased", m.Must("rotate/"+w.IDs["waited for leased"], waits))
		w.Trap = m.Must("honeytokens/wiki", map[string]any{"role": "web", "disables": []string{w.IDs["owned"]}}).Key()
		m.Code(m.Must("honeytokens/readme", map[string]any{"role": "web"}).Key())
		w.crash(m)
		time.Sleep(2 * time.Second) // until all is written that is written behind answers
		synctest.Wait()
		w.At, w.Storage = time.Now(), m.Storage.Clone()
	})
	return w
}

// Issue makes a key and keeps it under a name.
func (w *World) Issue(m *mount.Mount, name, role, owner string) {
	data := map[string]any{"name": name}
	if owner != "" {
		data["owner"] = owner
	}
	w.Keep(name, m.Must("issue/"+role, data))
}

// Rotate makes the next version of a key and keeps it under a name of its own.
func (w *World) Rotate(m *mount.Mount, name, successor string) {
	w.Keep(successor, m.Must("rotate/"+w.IDs[name], nil))
}

// Keep remembers the key of an answer.
func (w *World) Keep(name string, a mount.Answer) {
	w.Texts[name], w.IDs[name] = a.Key(), a.Str("key_id")
	if a.Secret != nil {
		a.Secret.IssueTime = time.Now()
		w.Leases[name] = a.Secret
	}
}

// crash leaves the hints of a key without its record, and an owner without keys.
func (w *World) crash(m *mount.Mount) {
	id := m.Must("issue/web", map[string]any{"owner": "phantom"}).Str("key_id")
	before := m.Storage.Dump()
	if a := m.Do(logical.DeleteOperation, "keys/"+id, nil); !a.OK() {
		m.T.Fatal(a.Text)
	}
	for path, value := range before {
		if strings.HasPrefix(path, "owner-key/phantom/") || strings.HasPrefix(path, "role-key/") && strings.HasSuffix(path, id) {
			m.Storage.Plant(path, string(value))
		}
	}
}

// Open is a mount on a copy of the world, at its moment. It belongs into a
// bubble of its own.
func (w *World) Open(t *testing.T) *mount.Mount {
	t.Helper()
	time.Sleep(time.Until(w.At))
	m := mount.On(t, w.Storage.Clone())
	m.Faulty = true
	synctest.Wait() // for what a mount reads when it starts
	for _, text := range w.Texts {
		m.Secrets.Add(text)
	}
	m.Secrets.Add(w.Trap)
	return m
}

// Observe is what this mount tells about its keys and roles, by what was asked.
func (w *World) Observe(m *mount.Mount) map[string]string {
	m.T.Helper()
	seen := make(map[string]string)
	for name, text := range w.Texts {
		if name == "idle" {
			continue // to be asked about changes it
		}
		seen["verify "+name] = m.Ask(logical.UpdateOperation, "verify", map[string]any{"key": text, "cost": 0})
		seen["read "+name] = m.Ask(logical.ReadOperation, "keys/"+w.IDs[name], nil)
	}
	for _, role := range []string{"web", "svc", "unused", "brief", "made", "limited", "few"} {
		seen["role "+role] = m.Ask(logical.ReadOperation, "roles/"+role, nil)
	}
	for _, name := range []string{"declared", "undeclared", "new"} {
		seen["static name "+name] = m.Ask(logical.ReadOperation, "static-keys/"+name, nil)
	}
	seen["alert"] = m.Ask(logical.ReadOperation, "alerts/"+opened, nil)
	seen["config"] = m.Ask(logical.ReadOperation, "config", nil)
	return seen
}
