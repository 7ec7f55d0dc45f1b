package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// world is a mount with keys in every state, kept to be opened again and again
// at the same moment of fake time.
type world struct {
	at      time.Time
	storage *memory
	texts   map[string]string // of keys, by what they stand for
	ids     map[string]string
	leases  map[string]*logical.Secret
}

// buildWorld makes the world. Keys are named by what became of them.
func buildWorld(t *testing.T) *world {
	w := &world{texts: map[string]string{}, ids: map[string]string{}, leases: map[string]*logical.Secret{}}
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.faulty = true // it ends with what a crash left behind
		m.flushRarely()
		m.must("roles/web", map[string]any{"generate_lease": false, "ttl": "20d", "grace_period": "1h", "allowed_scopes": "read:*"})
		m.must("roles/svc", map[string]any{"ttl": "20d", "grace_period": "1h"})
		m.must("roles/unused", nil)
		w.issue(m, "removable", "web", "ghost")
		m.must("revoke/"+w.ids["removable"], nil)
		m.must("roles/brief", map[string]any{"generate_lease": false, "ttl": 60})
		w.issue(m, "expired", "brief", "acme")
		time.Sleep(73 * time.Hour)
		w.issue(m, "owned", "web", "acme")
		w.issue(m, "plain", "web", "")
		w.issue(m, "leased", "svc", "")
		w.issue(m, "revoked", "web", "acme")
		m.must("revoke/"+w.ids["revoked"], map[string]any{"reason": "r"})
		w.issue(m, "disabled", "web", "acme")
		m.must("keys/"+w.ids["disabled"], map[string]any{"disabled": true})
		w.issue(m, "old", "web", "acme")
		w.rotate(m, "old", "new")
		w.issue(m, "old leased", "svc", "acme")
		w.rotate(m, "old leased", "new leased")
		w.crash(m)
		w.at, w.storage = time.Now(), m.storage.clone()
	})
	return w
}

func (w *world) issue(m *mount, name, role, owner string) {
	data := map[string]any{"name": name}
	if owner != "" {
		data["owner"] = owner
	}
	w.keep(name, m.must("issue/"+role, data))
}

func (w *world) rotate(m *mount, name, successor string) {
	w.keep(successor, m.must("rotate/"+w.ids[name], nil))
}

func (w *world) keep(name string, a answer) {
	w.texts[name], w.ids[name] = a.str("key"), a.str("key_id")
	if a.secret != nil {
		a.secret.IssueTime = time.Now()
		w.leases[name] = a.secret
	}
}

// crash leaves the hints of a key without its record, and an owner without keys.
func (w *world) crash(m *mount) {
	id := m.must("issue/web", map[string]any{"owner": "phantom"}).str("key_id")
	before := m.storage.dump()
	if a := m.do(logical.DeleteOperation, "keys/"+id, nil); !a.ok() {
		m.t.Fatal(a.text)
	}
	for path, value := range before {
		if strings.HasPrefix(path, "owner-key/phantom/") || strings.HasPrefix(path, "role-key/") && strings.HasSuffix(path, id) {
			m.storage.entries[path] = value
		}
	}
}

// open is a mount on a copy of the world, at its moment. It belongs into a
// bubble of its own.
func (w *world) open(t *testing.T) *mount {
	t.Helper()
	time.Sleep(time.Until(w.at))
	m := mountOn(t, w.storage.clone())
	m.faulty = true
	for _, text := range w.texts {
		m.secrets.add(text)
	}
	return m
}

// observe is what this mount tells about its keys and roles, by what was asked.
func (w *world) observe(m *mount) map[string]string {
	m.t.Helper()
	seen := make(map[string]string)
	for name, text := range w.texts {
		if name == "idle" {
			continue // to be asked about changes it
		}
		seen["verify "+name] = m.ask(logical.UpdateOperation, "verify", map[string]any{"key": text, "cost": 0})
		seen["read "+name] = m.ask(logical.ReadOperation, "keys/"+w.ids[name], nil)
	}
	for _, role := range []string{"web", "svc", "unused", "brief", "made", "limited", "few"} {
		seen["role "+role] = m.ask(logical.ReadOperation, "roles/"+role, nil)
	}
	seen["config"] = m.ask(logical.ReadOperation, "config", nil)
	return seen
}

// ask is do without all that is checked of an answer, for those who ask much.
func (m *mount) ask(op logical.Operation, path string, data map[string]any) string {
	m.t.Helper()
	resp, err := m.backend.HandleRequest(m.ctx, &logical.Request{Operation: op, Path: path, Data: data, Storage: m.storage})
	if resp == nil {
		return fmt.Sprint(err)
	}
	// When a key was last used is known to the node that saw it, until the flush.
	delete(resp.Data, "last_used_at")
	delete(resp.Data, "quota_remaining") // likewise, until the block is spent
	versions, _ := resp.Data["versions"].([]map[string]any)
	for _, version := range versions {
		delete(version, "last_used_at")
	}
	return fmt.Sprint(err, resp.Data)
}
