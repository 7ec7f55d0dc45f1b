package models

import (
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// presentations are the doors that take a key. Each tells what is said there where that is
// not what is said of a text that is no key.
var presentations = everyDoor()

func everyDoor() map[string]func(m *mount.Mount, text string) string {
	doors := map[string]func(m *mount.Mount, text string) string{}
	wrong := func(a mount.Answer, right bool) string {
		if right {
			return ""
		}
		return fmt.Sprint(a.Status, a.Text, a.Data)
	}
	for _, path := range []string{"verify", "verify/web", "verify/nosuch"} {
		doors[path] = func(m *mount.Mount, text string) string {
			a := m.Write(path, map[string]any{"key": text, "client_ip": "192.0.2.7"})
			return wrong(a, a.Status == 200 && a.Str("code") == "invalid" && len(a.Data) == 3)
		}
	}
	for _, path := range []string{"authorize", "authorize/web"} {
		doors[path] = func(m *mount.Mount, text string) string {
			a := m.Write(path, map[string]any{"key": text})
			return wrong(a, a.Status == 401)
		}
	}
	for _, path := range []string{"rotate", "revoke", "delegate"} {
		doors[path] = func(m *mount.Mount, text string) string {
			a := m.Write(path, map[string]any{"key": text})
			return wrong(a, a.Status == 404 && a.Text == "key not found")
		}
	}
	for _, path := range []string{"verify", "authorize"} {
		doors["a header of "+path] = func(m *mount.Mount, text string) string {
			a := m.Send(m.Ctx, &logical.Request{Operation: logical.ReadOperation, Path: path, Headers: map[string][]string{"X-Api-Key": {text}}})
			return wrong(a, path == "verify" && a.Str("code") == "invalid" || path == "authorize" && a.Status == 401)
		}
	}
	doors["a batch"] = func(m *mount.Mount, text string) string {
		a := m.Must("verify", map[string]any{"batch_input": []any{map[string]any{"key": text}}})
		got := a.Data["batch_results"].([]any)[0].(map[string]any)
		return wrong(a, got["code"] == "invalid" && len(got) == 3)
	}
	return doors
}
