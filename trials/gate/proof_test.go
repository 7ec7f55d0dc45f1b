package gate_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// atOnce is a poll that does not wait.
func atOnce(m *mount.Mount) mount.Answer {
	return m.Write("gate/changes", fields{"gate": "edge", "run": "r"})
}

// Each storage call that a poll makes which does not wait fails in each way. Where it does,
// nothing is proven, and the poll is an error: also where the write took effect, and where
// storage holds all along what was to be written.
func TestAPollIsAnsweredByAProofOrNotAtAll(t *testing.T) {
	m := mount.New(t)
	m.Faulty = true
	gate.Of(m, "edge")
	m.Storage.Noted()
	if a, calls := atOnce(m), m.Storage.Noted(); !a.OK() || !slices.Equal(calls, []string{"get feed-term", "put feed-term"}) {
		t.Fatalf("it makes %q, and is answered %d %s", calls, a.Status, a.Text)
	}
	for at, changes := range []bool{false, true} {
		for _, kind := range []memory.Kind{memory.Once, memory.Outage, memory.Canceled, memory.Panicked} {
			for _, effect := range []bool{false, true} {
				if effect && !changes {
					continue
				}
				f := &memory.Fault{At: at, Kind: kind, Effect: effect}
				m.Ctx, f.Cancel = context.WithCancel(t.Context())
				m.Storage.Intercept(f.Around)
				a := atOnce(m)
				m.Storage.Intercept(nil)
				f.Cancel()
				m.Ctx = t.Context()
				if a.Status != http.StatusInternalServerError || a.Text != "internal error" || !f.Struck() {
					t.Errorf("%v: it is answered %d %s %v", f, a.Status, a.Text, a.Data)
				}
				if a := atOnce(m); !a.OK() {
					t.Errorf("%v: after that it is answered %d %s", f, a.Status, a.Text)
				}
				if p := m.Problems(); len(p) > 0 {
					t.Errorf("%v: %v", f, p)
				}
			}
		}
	}
}

// A flood of polls that do not wait is one small write at a time. A revocation is answered
// meanwhile as if there were none, and nothing that is told of it.
func TestAFloodOfPollsHoldsUpNoRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false})
		k := m.Must("issue/web", nil)
		g := gate.Of(m, "edge")
		proofs := 0
		m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
			if c.Method == "put" && c.Path == "feed-term" {
				proofs++
				time.Sleep(time.Second)
			}
			effect()
			return nil
		})
		var flood sync.WaitGroup
		for n := range 2000 {
			flood.Go(func() {
				if a := m.Write("gate/changes", fields{"gate": fmt.Sprint("edge-", n), "run": "r"}); !a.OK() {
					t.Errorf("a poll is answered %d %s", a.Status, a.Text)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		begun := time.Now()
		m.Must("revoke/"+k.Str("key_id"), nil)
		if took := time.Since(begun); took > 0 {
			t.Errorf("a revocation took %v", took)
		}
		flood.Wait()
		m.Storage.Intercept(nil)
		if proofs > 2 {
			t.Errorf("2000 polls cost %d writes", proofs)
		}
		g.Hears("key:" + k.Str("key_id"))
	})
}
