package backend_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// TestTheTagKeyIsMadeOnceWhateverFails breaks each storage call of the first
// initialisation in each way; the periodic hook makes up for it.
func TestTheTagKeyIsMadeOnceWhateverFails(t *testing.T) {
	probe := &fault{kind: none}
	initializeUnder(t, newMemory(), probe)
	for at, c := range probe.made() {
		for _, kind := range []kind{once, outage, canceled, panicked} {
			for _, effect := range []bool{false, true} {
				if effect && !changes(c) {
					continue
				}
				f := &fault{at: at, kind: kind, effect: effect}
				storage := newMemory()
				setCost(t, storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
				m := initializeUnder(t, storage, f)
				before := storage.dump()["tag-key"]
				m.periodic()
				after := storage.dump()["tag-key"]
				if after == nil || before != nil && !bytes.Equal(before, after) {
					t.Errorf("%v: the tag key was %d bytes and is %d", f, len(before), len(after))
				}
				m.must("roles/web", map[string]any{"generate_lease": false})
				text := m.must("issue/web", nil).str("key")
				m.restart()
				if a := m.must("verify", map[string]any{"key": text}); a.data["valid"] != true {
					t.Errorf("%v: a key does not verify: %v", f, a.data)
				}
			}
		}
	}
}

func initializeUnder(t *testing.T, storage *memory, f *fault) *mount {
	t.Helper()
	f.cancel = func() {}
	storage.intercept(f.around)
	defer storage.intercept(nil)
	m := mountOn(t, storage)
	m.faulty = true
	return m
}

// periodic runs the hook that Vault runs each minute.
func (m *mount) periodic() {
	m.t.Helper()
	_, err := m.backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.RollbackOperation, Storage: m.storage})
	if err != nil && err != logical.ErrUnsupportedOperation {
		m.t.Fatal(err)
	}
}

func TestALostTagKeyIsTroubleAndIsNeverMadeAnew(t *testing.T) {
	for name, damage := range map[string]func(map[string][]byte){
		"missing":   func(entries map[string][]byte) { delete(entries, "tag-key") },
		"unknown v": func(entries map[string][]byte) { replace(entries, "tag-key", `"v":1`, `"v":2`) },
		"damaged":   func(entries map[string][]byte) { entries["tag-key"] = []byte("{") },
		"too short": func(entries map[string][]byte) {
			entries["tag-key"] = []byte(`{"v":1,"record":{"secret":"AAAA"}}`)
		},
	} {
		m := newMount(t)
		m.faulty = true
		m.must("roles/web", map[string]any{"generate_lease": false})
		k := m.must("issue/web", nil)
		damage(m.storage.entries)
		left := m.storage.dump()
		m.restart()
		m.periodic()
		for _, a := range []answer{
			m.write("verify", map[string]any{"key": k.str("key")}),
			m.write("rotate", map[string]any{"key": k.str("key")}),
			m.write("revoke", map[string]any{"key": k.str("key")}),
			m.write("rotate/"+k.str("key_id"), nil),
			m.write("issue/web", nil),
		} {
			if a.status != http.StatusInternalServerError || a.text != "internal error" {
				t.Errorf("%s: %d %q %v", name, a.status, a.text, a.data)
			}
		}
		if !m.storage.sameAs(left) {
			t.Errorf("%s: the storage changed", name)
		}
		// What needs no tag key goes on.
		m.must("revoke/"+k.str("key_id"), nil)
	}
}

func replace(entries map[string][]byte, path, from, to string) {
	entries[path] = []byte(strings.Replace(string(entries[path]), from, to, 1))
}

func TestOnAStandbyNothingIsWritten(t *testing.T) {
	m := newMount(t)
	m.must("roles/web", map[string]any{"generate_lease": false})
	k := m.must("issue/web", map[string]any{"owner": "acme"})
	m.system.ReplicationStateVal = consts.ReplicationPerformanceStandby
	m.restart()
	before := m.storage.dump()
	m.periodic()
	for _, path := range []string{"issue/web", "rotate/" + k.str("key_id"), "revoke/" + k.str("key_id"), "keys/" + k.str("key_id"), "roles/web", "config", "tidy"} {
		if a := m.write(path, nil); a.text != logical.ErrReadOnly.Error() {
			t.Errorf("%s: %d %q is not passed on to the active node", path, a.status, a.text)
		}
	}
	if a := m.must("verify", map[string]any{"key": k.str("key")}); a.data["valid"] != true {
		t.Errorf("a standby does not verify: %v", a.data)
	}
	if !m.storage.sameAs(before) {
		t.Error("the storage changed")
	}

	empty := newMemory()
	standby := &mount{t: t, storage: empty, system: m.system, log: new(journal), ctx: context.Background()}
	standby.open()
	standby.periodic()
	defer standby.backend.Cleanup(t.Context())
	if left := empty.dump(); len(left) != 0 {
		t.Errorf("a standby wrote %d entries", len(left))
	}
}
