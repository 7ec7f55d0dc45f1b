package fuzz

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// FuzzStoredEntry puts anything in the place of an entry. What reads it answers
// or fails; it never panics, never shows a hash, and never takes a key for
// another.
func FuzzStoredEntry(f *testing.F) {
	for kind := range entryKinds {
		for _, value := range []string{
			"", "{}", "null", `{"v":1}`, `{"v":1,"record":{}}`, `{"v":1,"record":null}`, `{"v":2,"record":{}}`,
			`{"v":1,"record":{"id":"x","role":"web","role_uid":"x","versions":[{}]}}`,
			`{"v":1,"record":{"id":"{id}","role":"web","role_uid":"x","versions":[{"number":1,"hash":"$argon2id$v=19$m=4294967295,t=0,p=1$x$y"}]}}`,
			`{"v":1,"record":{"uid":"x","bound_cidrs":["10.0.0.1/8"]}}`,
			`{"v":1,"record":{"reserved":-1,"at":9223372036854775807}}`, `{"v":1,"record":{"reserved":9223372036854775807,"at":0}}`,
			`{"v":1,"record":{"uses":{"{id}":[{"version":-1,"at":-1},{"version":1,"at":9223372036854775807}],"x":null}}}`,
			`{"v":1,"record":{"uses":[{"version":-1,"at":-1},{"version":1,"at":9223372036854775807}],"through":18446744073709551615}}`,
			`{"v":1,"record":{"next":18446744073709551615,"in_order":true,"gaps":[{"before":9223372036854775807,"slack":-9223372036854775808}]}}`,
			`{"v":1,"record":{"id":"{id}","role":"web","role_uid":"x","parent":"{id}","depth":-1,"versions":[{"number":1}]}}`,
			`{"v":1,"record":{"id":"{id}","role":"web","role_uid":"x","parent":"x","versions":[{"number":1}]}}`,
			`{"v":1,"record":{"generation":18446744073709551615,"stopped_at":-1,"stop_reason":"x"}}`,
			`{"v":1,"record":{"argon2_memory_kib":4294967295,"argon2_iterations":0,"verify_cache_size":-1}}`,
		} {
			f.Add(uint8(kind), value)
		}
	}
	var s *scene
	f.Fuzz(func(t *testing.T, kind uint8, value string) {
		if s == nil {
			s = newScene(t)
		}
		m := s.open(t)
		defer m.Backend.Cleanup(m.Ctx)
		path := entryKinds[int(kind)%len(entryKinds)](s.id, s.uid())
		m.Storage.Plant(path, s.place(value))
		for _, a := range []mount.Answer{
			m.Write("verify", map[string]any{"key": s.text}),
			m.Write("verify", map[string]any{"key": s.text[:len(s.text)-1] + "!"}),
			m.Read("keys/" + s.id), m.Read("roles/web"), m.Read("config"),
			m.Do(logical.ListOperation, "keys/", nil), m.Do(logical.ListOperation, "owners/acme/keys/", nil),
			m.Write("keys/"+s.id, map[string]any{"name": "x"}), m.Write("rotate/"+s.id, nil), m.Write("rotate", map[string]any{"key": s.text}),
			m.Write("issue/web", map[string]any{"owner": "acme"}), m.Do(logical.DeleteOperation, "roles/web", nil),
			m.Write("delegate", map[string]any{"key": s.text}), m.Write("authorize/web", map[string]any{"key": s.text}),
			m.Write("verify", map[string]any{"batch_input": []any{map[string]any{"key": s.text, "cost": 3}}}),
			m.Write("stop/owners/acme", nil), m.Write("stop/roles/web", nil),
			m.Write("tidy", nil), m.Write("revoke/"+s.id, nil), m.Do(logical.DeleteOperation, "keys/"+s.id, nil),
		} {
			if a.Status >= http.StatusInternalServerError && a.Text != "internal error" {
				t.Errorf("%d %s", a.Status, a.Text)
			}
		}
		m.Backend.Cleanup(m.Ctx)
		log := m.Log.String()
		if strings.Contains(log, "a fault in the plugin") {
			t.Errorf("a panic was recovered:\n%s", log)
		}
		if strings.Contains(log, "$argon2id$v=19$m=8") {
			t.Error("a hash was logged")
		}
	})
}

// entryKinds are the entries of a scene by what they hold.
var entryKinds = []func(id, uid string) string{
	func(id, _ string) string { return "key/" + id[:2] + "/" + id },
	func(_, _ string) string { return "role/web" },
	func(_, _ string) string { return "owner/acme" },
	func(_, _ string) string { return "config" },
	func(_, _ string) string { return "tag-key" },
	func(id, _ string) string { return "owner-key/acme/" + id[:2] + "/" + id },
	func(id, uid string) string { return "role-key/web/" + uid + "/" + id[:2] + "/" + id },
	func(id, _ string) string { return "quota/" + id[:2] + "/" + id },
	func(id, _ string) string { return "usage/key/" + id[:2] + "/" + id },
	func(_, _ string) string { return "usage/delta/1" },
	func(_, _ string) string { return "usage/mark" },
}
