package gate

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// asGate is a gate of the role web, with the policy that the README shows.
func asGate(t *testing.T, e surface.Engine) surface.Engine {
	t.Helper()
	policy, err := os.ReadFile("../recipes/policies/gate.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return e.As(e.TokenWith(t, string(policy), nil))
}

func TestAGateResolvesKeysOfItsRoleByTextAndById(t *testing.T) {
	e := mounted(t)
	own, other := e.Issue(t, "web", "acme"), e.Issue(t, "admin", "acme")
	gate := asGate(t, e)
	told := gate.Write(t, "gate/resolve/web", fields{"keys": []string{own.Text, "nonsense", other.Text}, "key_ids": []string{other.ID, "0000000000000000"}, "roles": []string{"web", "admin"}})
	results, records := told["results"].([]any), told["records"].(map[string]any)
	if first := results[0].(map[string]any); len(results) != 3 || first["key_id"] != own.ID || fmt.Sprint(first["version"]) != "1" {
		t.Errorf("of its key it is told %v", results)
	}
	for _, r := range results[1:] {
		if fmt.Sprint(r) != "map[code:invalid]" {
			t.Errorf("of nonsense, and of a key of another role, it is told %v", r)
		}
	}
	is, _ := records[own.ID].(map[string]any)
	if is["role"] != "web" || is["owner"] != "acme" || is["fingerprint"] == "" || records[other.ID] != nil || len(records) != 3 {
		t.Errorf("it is shown %v", records)
	}
	if roles := told["roles"].(map[string]any); roles["web"] == nil || roles["admin"] != nil {
		t.Errorf("it is shown the roles %v", roles)
	}
	raw, err := json.Marshal(told)
	if err != nil || strings.Contains(string(raw), "argon2") || strings.Contains(string(raw), own.Text[len(own.Text)-40:]) {
		t.Errorf("it is told a secret, %v", err)
	}
	known := own.ID + fmt.Sprint(is["fingerprint"])
	confirmed := func() string { return fmt.Sprint(gate.Write(t, "gate/confirm", fields{"known": known})["changed"]) }
	if got := confirmed(); got != "[]" {
		t.Errorf("before a change it is told of %s", got)
	}
	e.Want(t, 200, "POST", "revoke/"+own.ID, nil)
	if got := confirmed(); got != "["+own.ID+"]" {
		t.Errorf("after a revocation it is told of %s", got)
	}
	gate.Want(t, 403, "POST", "gate/resolve", fields{"keys": []string{own.Text}})
	gate.Want(t, 403, "POST", "gate/resolve/admin", fields{"keys": []string{other.Text}})
	gate.Want(t, 400, "POST", "gate/resolve/web", fields{"keys": []string{own.Text}}, "X-Vault-Wrap-TTL: 60s")
}

func TestAHoneytokenThatAGateAsksAboutRaisesItsAlert(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	lure, _ := e.Write(t, "honeytokens/lure", fields{"role": "web", "disables": []string{k.ID}})["key"].(string)
	told := asGate(t, e).Write(t, "gate/resolve/web", fields{"keys": []string{lure, "nonsense"}})
	if results := told["results"].([]any); len(results) != 2 || fmt.Sprint(results[0]) != fmt.Sprint(results[1]) || len(told["records"].(map[string]any)) != 0 {
		t.Errorf("of a honeytoken it is told %v", told)
	}
	if alert := e.Read(t, "alerts/honeytoken_used.lure"); alert["severity"] != "critical" || fmt.Sprint(alert["count"]) != "1" {
		t.Errorf("the alert is %v", alert)
	}
	for range 30 {
		if e.Read(t, "keys/"+k.ID)["status"] == "disabled" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("it does not disable what it was made to")
}
