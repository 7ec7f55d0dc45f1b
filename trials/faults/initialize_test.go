package faults

import (
	"bytes"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestTheTagKeyIsMadeOnceWhateverFails breaks each storage call of the first
// initialisation in each way; the periodic hook makes up for it.
func TestTheTagKeyIsMadeOnceWhateverFails(t *testing.T) {
	probe := &memory.Fault{Kind: memory.None}
	initializeUnder(t, memory.New(), probe)
	for at, c := range probe.Made() {
		for _, kind := range []memory.Kind{memory.Once, memory.Outage, memory.Canceled, memory.Panicked} {
			for _, effect := range []bool{false, true} {
				if effect && !c.Changes() {
					continue
				}
				f := &memory.Fault{At: at, Kind: kind, Effect: effect}
				storage := memory.New()
				mount.SetCost(t, storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
				m := initializeUnder(t, storage, f)
				before := storage.Dump()["tag-key"]
				m.Periodic()
				after := storage.Dump()["tag-key"]
				if after == nil || before != nil && !bytes.Equal(before, after) {
					t.Errorf("%v: the tag key was %d bytes and is %d", f, len(before), len(after))
				}
				m.Must("roles/web", map[string]any{"generate_lease": false})
				text := m.Must("issue/web", nil).Str("key")
				m.Restart()
				if a := m.Must("verify", map[string]any{"key": text}); a.Data["valid"] != true {
					t.Errorf("%v: a key does not verify: %v", f, a.Data)
				}
			}
		}
	}
}

func initializeUnder(t *testing.T, storage *memory.Storage, f *memory.Fault) *mount.Mount {
	t.Helper()
	f.Cancel = func() {}
	storage.Intercept(f.Around)
	defer storage.Intercept(nil)
	m := mount.On(t, storage)
	m.Faulty = true
	return m
}
