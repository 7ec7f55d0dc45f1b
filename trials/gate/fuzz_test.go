package gate_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/trials/gate"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// Whatever a gate sends, it is answered with all that changed, or hears of its mistake.
func FuzzPoll(f *testing.F) {
	const cursor = "1-0123456789abcdef.0"
	for _, body := range []string{
		`{}`, `{"cursor":""}`, `{"cursor":"{cursor}"}`, `{"cursor":"` + cursor + `","nonce":"n"}`, `{"cursor":7}`, `{"wait":1}`, `{"wait":5001}`, `{"wait":-1}`, `{"wait":"1"}`,
		`{"gate":"..","run":"r"}`, `{"gate":"{key}"}`, `{"run":"{key}"}`, `{"nonce":"{key}"}`, `{"nonce":""}`, `{"max_staleness":86400001}`, `{"stale_grace":1e300}`, `{"role":"web"}`, `{"gate":["edge"]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		m := mount.New(t)
		m.Must("roles/web", map[string]any{"generate_lease": false})
		key, g := m.Must("issue/web", nil), gate.Of(m, "edge")
		data := map[string]any{"gate": "edge", "run": "fuzzed"}
		if json.Unmarshal([]byte(strings.NewReplacer("{cursor}", g.Cursor, "{key}", key.Key()).Replace(body)), &data) != nil {
			return
		}
		if wait, _ := data["wait"].(float64); wait > 10 && wait <= 5000 {
			return // which takes too long
		}
		m.Must("keys/"+key.Str("key_id"), map[string]any{"name": "n"})
		a := m.Write("gate/changes", data)
		switch reset, _ := a.Data["reset"].(bool); {
		case a.Status == http.StatusBadRequest:
		case !a.OK():
			t.Errorf("%d %s", a.Status, a.Text)
		case !reset && data["cursor"] == g.Cursor && len(a.Data["changes"].([]any)) != 1, !reset && data["cursor"] != g.Cursor:
			t.Errorf("it was answered %v", a.Data)
		}
	})
}
