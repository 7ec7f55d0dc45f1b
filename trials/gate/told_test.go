package gate_test

import (
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// shown is what a gate would decide by, as storage has it: a fingerprint for each name. A
// hash that was forgotten is none the less: it narrows nothing.
func shown(t *testing.T, dump map[string][]byte) map[string]string {
	t.Helper()
	views := make(map[string]string)
	for at, raw := range dump {
		folder, name, _ := strings.Cut(at, "/")
		switch folder {
		case "key":
			k := read[record.Key](t, at, raw)
			for i := range k.Versions {
				k.Versions[i].Hash = keyhash.Stored("kept")
			}
			views[wire.Name(wire.KeyKind, path.Base(at))] = wire.Fingerprint(&k)
		case "role":
			r := read[record.Role](t, at, raw)
			views[wire.Name(wire.RoleKind, name)] = wire.ShowRole(&r).Fingerprint
		case "owner":
			o := read[record.Owner](t, at, raw)
			views[wire.Name(wire.OwnerKind, name)] = wire.ShowOwner(&o).Fingerprint
		}
	}
	return views
}

func read[V any](t *testing.T, at string, raw []byte) V {
	t.Helper()
	var stored struct{ Record V }
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	return stored.Record
}

// changed are the names of what a gate would decide by otherwise than before. One that is
// new is not among them: nobody holds it.
func changed(before, after map[string]string) (names []string) {
	for name, was := range before {
		if after[name] != was {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// besides are the trials that tell of what is no change to a gate: whoever writes does not
// look that closely.
var besides = []string{"make a role", "stop an owner without keys", "update recipients", "renew", "renew what waits", "renew what is waited for"}

func eachTrial(t *testing.T, try func(t *testing.T, w *world.World, tr world.Trial)) {
	first, limited := world.Build(t), world.BuildLimited(t)
	for _, tr := range slices.Concat(world.Trials(), world.WatchTrials()) {
		t.Run(tr.Name, func(t *testing.T) { try(t, first, tr) })
	}
	for _, tr := range world.LimitTrials() {
		t.Run("limited, "+tr.Name, func(t *testing.T) { try(t, limited, tr) })
	}
}

// Every operation that changes what a gate decides by is told once it is answered, and
// nothing else is.
func TestEveryChangeIsToldBeforeItsAnswer(t *testing.T) {
	told := 0
	eachTrial(t, func(t *testing.T, w *world.World, tr world.Trial) {
		synctest.Test(t, func(t *testing.T) {
			m := w.Open(t)
			w.Observe(m)
			synctest.Wait()
			g := gate.Of(m, "edge")
			before := shown(t, m.Storage.Dump())
			if a := tr.Run(m, w); !a.OK() {
				t.Fatalf("it does not work: %d %s", a.Status, a.Text)
			}
			after := shown(t, m.Storage.Dump())
			heard, want := g.All(), changed(before, after)
			if told += len(heard); tr.Name == "tidy" { // what it removes had ended
				want = slices.DeleteFunc(want, func(name string) bool { return after[name] == "" })
			}
			if len(want) == 0 && slices.Contains(besides, tr.Name) {
				want = heard
			}
			if !slices.Equal(heard, want) {
				t.Errorf("the gate heard of %q, want %q", heard, want)
			}
		})
	})
	if told < 50 {
		t.Errorf("only %d changes were told in all", told)
	}
}

// What storage was asked to write is told also where that failed: nobody knows what it
// holds then.
func TestAWriteThatFailsIsTold(t *testing.T) {
	eachTrial(t, func(t *testing.T, w *world.World, tr world.Trial) {
		if tr.Steps {
			return
		}
		run := func(t *testing.T, f *memory.Fault) (heard []string) {
			synctest.Test(t, func(t *testing.T) {
				m := w.Open(t)
				g := gate.Of(m, "edge")
				m.Ctx, f.Cancel = context.WithCancel(context.Background())
				m.Storage.Intercept(f.Around)
				tr.Run(m, w)
				m.Storage.Intercept(nil)
				m.Ctx = context.Background()
				heard = g.All()
			})
			return heard
		}
		none := &memory.Fault{Kind: memory.None}
		want := run(t, none)
		for at, c := range none.Made() {
			folder, _, _ := strings.Cut(c.Path, "/")
			if !c.Changes() || !slices.Contains([]string{"key", "role", "owner"}, folder) {
				continue
			}
			name := wire.Name(wire.Kind(folder), path.Base(c.Path))
			for _, f := range []*memory.Fault{{At: at, Kind: memory.Outage}, {At: at, Kind: memory.Outage, Effect: true}, {At: at, Kind: memory.Panicked, Effect: true}, {At: at, Kind: memory.Canceled, Effect: true}} {
				if heard := run(t, f); slices.Contains(want, name) && !slices.Contains(heard, name) {
					t.Errorf("%v: the gate heard of %q", f, heard)
				}
			}
		}
	})
}

// What was noted in memory is told when it is, however long storage takes.
func TestWhatItsRecordDoesNotSayYetIsTold(t *testing.T) {
	delayed := func(t *testing.T, w *world.World, name string, run func(m *mount.Mount)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			m := w.Open(t)
			g := gate.Of(m, "edge")
			m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
				if c.Changes() && strings.HasPrefix(c.Path, "key/") {
					time.Sleep(time.Second)
				}
				effect()
				return nil
			})
			run(m)
			g.Hears(wire.Name(wire.KeyKind, w.IDs[name]))
			time.Sleep(5 * time.Second)
			g.Hears(wire.Name(wire.KeyKind, w.IDs[name])) // and again when it is written down
			m.Storage.Intercept(nil)
		})
	}
	t.Run("a first use", func(t *testing.T) {
		w := world.Build(t)
		delayed(t, w, "waiting", func(m *mount.Mount) { m.Code(w.Texts["waiting"]) })
	})
	t.Run("an idle end", func(t *testing.T) {
		w := world.BuildLimited(t)
		delayed(t, w, "idle", func(m *mount.Mount) { m.Code(w.Texts["idle"]) })
	})
}
