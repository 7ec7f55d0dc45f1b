// Package gate is a gate that asks a mount what changed, for those who try that it is
// told. It decides nothing.
package gate

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// Gate is one process of a gate.
type Gate struct {
	*mount.Mount
	Name, Run, Cursor string
}

// Of is a gate that knows the newest cursor of a mount.
func Of(m *mount.Mount, name string) *Gate {
	m.T.Helper()
	g := &Gate{Mount: m, Name: name, Run: rand.Text()}
	if first := g.Poll(0); !first.Reset {
		m.T.Error("the first answer to a gate is no reset")
	}
	return g
}

// Poll asks what changed, and goes on from there.
func (g *Gate) Poll(wait time.Duration) (answer wire.Changes) {
	g.T.Helper()
	nonce := rand.Text()
	a := g.Must("gate/changes", map[string]any{
		"gate": g.Name, "run": g.Run, "nonce": nonce, "cursor": g.Cursor, "wait": wait.Milliseconds(), "max_staleness": 10000, "stale_grace": 0,
	})
	raw, err := json.Marshal(a.Data)
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil || answer.Nonce != nonce {
		g.T.Errorf("the answer to a poll is %s: %v", raw, err)
	}
	g.Cursor = answer.Cursor
	return answer
}

// Hears tells whether the gate is told of these changes now, and of no others. A reset
// is told as such.
func (g *Gate) Hears(want ...string) bool {
	g.T.Helper()
	heard := g.All()
	slices.Sort(want)
	if slices.Equal(heard, want) {
		return true
	}
	g.T.Errorf("the gate heard of %q, want %q", heard, want)
	return false
}

// All are the changes that it has not heard of, sorted.
func (g *Gate) All() (heard []string) {
	g.T.Helper()
	for more := true; more; {
		answer := g.Poll(0)
		if more = answer.More; answer.Reset {
			heard = append(heard, "reset")
		}
		heard = append(heard, answer.Changes...)
	}
	slices.Sort(heard)
	return slices.Compact(heard)
}
