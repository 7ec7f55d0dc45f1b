package requests

import (
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/surface"
)

// TestAHoneytokenIsAnsweredAsAnyTextThatIsNotProven asks each path that takes a key with a honeytoken and with a text that
// is none, and then looks at what the operator is told, and at the key that its first use disables.
func TestAHoneytokenIsAnsweredAsAnyTextThatIsNotProven(t *testing.T) {
	e := mounted(t)
	k, other := e.Issue(t, "web", "acme"), e.Issue(t, "web", "acme")
	lure, _ := e.Write(t, "honeytokens/lure", fields{"role": "web", "disables": []string{k.ID}})["key"].(string)
	if lure == "" {
		t.Fatal("a honeytoken is made without its text")
	}
	asked := 0
	for _, path := range []string{"verify", "verify/web", "verify/admin", "authorize", "authorize/web", "rotate", "revoke", "delegate"} {
		asked++
		if got, want := constant(e.Ask(t, "POST", path, fields{"key": lure})), constant(e.Ask(t, "POST", path, fields{"key": "wanted"})); got != want {
			t.Errorf("%s answers it with\n%s\nand nonsense with\n%s", path, got, want)
		}
	}
	for _, path := range []string{"verify", "authorize/web"} {
		asked++
		if got, want := constant(e.Ask(t, "GET", path, nil, "X-API-Key: "+lure)), constant(e.Ask(t, "GET", path, nil, "X-API-Key: wanted")); got != want {
			t.Errorf("in a header %s answers it with\n%s\nand nonsense with\n%s", path, got, want)
		}
	}
	asked++
	batch := func(text string) string {
		return constant(e.Ask(t, "POST", "verify", fields{"batch_input": []fields{{"key": text}, {"key": other.Text, "cost": 0}}}))
	}
	if got, want := batch(lure), batch("wanted"); got != want {
		t.Errorf("in a batch it is answered with\n%s\nand nonsense with\n%s", got, want)
	}
	id := lure[len(lure)-63-1-16 : len(lure)-63-1]
	e.Want(t, 404, "GET", "keys/"+id, nil)
	wait(t, func() bool { return surface.Number(t, e.Read(t, "honeytokens/lure"), "hits") == asked })
	e.WantCode(t, "disabled", k.Text)
	if why := e.Read(t, "keys/"+k.ID)["disabled_reason"]; why != "honeytoken lure" {
		t.Errorf("the key beside it is disabled because of %v", why)
	}
	open := 0
	for _, name := range e.Want(t, 200, "LIST", "alerts", nil).Data()["keys"].([]any) {
		if alert := e.Read(t, "alerts/"+name.(string)); alert["kind"] == "honeytoken_used" {
			open++
			if surface.Number(t, alert, "count") != asked || alert["honeytoken"] != "lure" || alert["severity"] != "critical" {
				t.Errorf("the alert is %v", alert)
			}
		}
	}
	if open != 1 {
		t.Errorf("%d alerts tell of it", open)
	}
}

// wait is for what is done within a second or so.
func wait(t *testing.T, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it did not come in twenty seconds")
		}
	}
}
