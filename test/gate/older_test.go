package gate

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// TestAnOlderEngineIsNoneForAGate puts a gate beside a plugin that knows none of the paths that it asks at, upgrades the
// plugin beneath it, and takes that back.
func TestAnOlderEngineIsNoneForAGate(t *testing.T) {
	older := harness.OlderPlugin(t) // while no other test counts seconds
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	s.Register(t, older)
	s.Mount(t, "apikeys", harness.Mount{})
	e := surface.Roles(t, surface.Engine{Server: s, Mount: "apikeys"})
	key := e.Issue(t, "web", "acme")
	e.WantCode(t, "valid", key.Text)
	g := beside(t, e, harness.GateOptions{Config: `max_staleness = "3s"`})
	missing := func(when string) {
		t.Helper()
		says(t, g, `"path":"gate/changes"`)
		r, err := g.Watch("/ready")
		if reason, _ := r.JSON["reason"].(string); err != nil || r.Status != 503 || !strings.Contains(reason, "gate/changes") || !strings.Contains(reason, "an older one") {
			t.Errorf("%s it is %d %s, %v", when, r.Status, r.Raw, err)
		}
		if !strings.Contains(g.Log(), "an older one") {
			t.Errorf("%s its log does not say what is missing", when)
		}
		if r := ask(t, g, key.Text); r.Status != 503 || r.JSON["error"] != "closed" {
			t.Errorf("%s a key is %d %s", when, r.Status, r.Raw)
		}
		if r := ask(t, g, "x"); r.Status != 401 {
			t.Errorf("%s what is no key is %d", when, r.Status)
		}
	}
	missing("beside an older engine")
	s.Register(t, harness.Plugin{})
	s.Reload(t)
	g.Ready(t)
	becomes(t, g, 200, key.Text)
	s.Register(t, older)
	s.Reload(t)
	becomes(t, g, 503, key.Text)
	missing("once the engine is an older one again")
}

// TestAParameterOfANewerGateIsNamed has an engine asked what it does not know yet, on each path of gates.
func TestAParameterOfANewerGateIsNamed(t *testing.T) {
	t.Parallel()
	e := own(t)
	for path, asked := range map[string]fields{
		"gate/changes":     {"gate": "edge-1", "run": "r", "nonce": "n"},
		"gate/resolve/web": {"nonce": "n"},
		"gate/confirm":     {"known": "", "nonce": "n"},
		"gate/reserve/web": {"want": []any{}, "gate": "edge-1", "run": "r", "nonce": "n"},
		"gate/report/web":  {"gate": "edge-1", "run": "r", "sequence": 1, "uses": []any{}},
	} {
		asked["of_a_newer_gate"] = 1
		r := e.Ask(t, "POST", path, asked)
		if r.Status != 400 || !strings.Contains(string(r.Raw), "of_a_newer_gate") {
			t.Errorf("at %s it is answered %d %s", path, r.Status, r.Raw)
		}
	}
}
