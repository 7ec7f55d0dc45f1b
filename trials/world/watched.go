package world

import (
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// opened is an alert that is open.
const opened = "honeytoken_used.readme"

// WatchTrials are those of honeytokens and alerts. Planted again, a honeytoken answers no
// key again: who lost the answer deletes it.
func WatchTrials() []Trial {
	return []Trial{
		{Name: "plant a honeytoken", Run: To("honeytokens/new", map[string]any{"role": "web", "description": "d"})},
		{Name: "change a honeytoken", Run: To("honeytokens/wiki", map[string]any{"description": "d", "disables": []any{}})},
		{Name: "delete a honeytoken", Run: deletingAt("honeytokens/wiki")},
		{Name: "read a honeytoken", Run: reading("honeytokens/wiki")},
		{Name: "list honeytokens", Run: listing("honeytokens/")},
		{Name: "use a honeytoken", Run: springing, Steps: true},
		{Name: "delete an alert", Run: acknowledging, Steps: true}, // one that is not deleted is written again
		{Name: "read an alert", Run: reading("alerts/" + opened)},
		{Name: "list alerts", Run: listing("alerts/")},
	}
}

// acknowledging deletes an alert. Answered, it is gone, and else it is open a second later,
// as it was or again.
func acknowledging(m *mount.Mount, _ *World) mount.Answer {
	a := m.Do(logical.DeleteOperation, "alerts/"+opened, nil)
	if a.OK() && m.Storage.Holds("alert/"+opened) != "" {
		m.T.Error("the alert is deleted, and stored")
	}
	return a
}

// springing uses a honeytoken, and answers an error where what comes of it is not written
// some seconds later.
func springing(m *mount.Mount, w *World) mount.Answer {
	a := m.Write("verify", map[string]any{"key": w.Trap})
	synctest.Wait()
	time.Sleep(5 * time.Second)
	// What was disabled is said last.
	if a.OK() && !strings.Contains(m.Storage.Holds("honeytoken/wiki"), `"done"`) {
		return mount.Answer{Status: http.StatusInternalServerError, Text: "internal error"}
	}
	return a
}
