package fuzz

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

var fuzzedOperations = []logical.Operation{
	logical.UpdateOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation, logical.CreateOperation,
	logical.PatchOperation, logical.HelpOperation, logical.RenewOperation, logical.RevokeOperation, logical.RollbackOperation,
	logical.AliasLookaheadOperation, logical.HeaderOperation, logical.RecoverOperation, "", "no-operation",
}

func FuzzRequest(f *testing.F) {
	for _, path := range []string{
		"verify", "verify/web", "issue", "issue/web", "issue/svc", "rotate", "rotate/{id}", "revoke", "revoke/{id}",
		"keys/", "keys/{id}", "owners/", "owners/acme/keys/", "owners/acme/keys/{id}", "owners/acme/keys/{id}/rotate",
		"owners/acme/keys/{id}/revoke", "roles/", "roles/web", "roles/new", "config", "tidy", "tidy-status", "info", "metrics", "usage", "usage/keys/{id}", "usage/owners/acme", "", "keys/../config",
		"authorize", "authorize/web", "delegate", "stop/owners/acme", "stop/roles/web",
		"honeytokens/", "honeytokens/wiki", "honeytokens/{key}", "alerts/", "alerts/forged_keys", "alerts/{key}",
		"gate/resolve", "gate/resolve/web", "gate/resolve/{key}", "gate/confirm",
		"gate/changes", "gates/", "gates/edge-1", "gates/{key}",
	} {
		for op := range fuzzedOperations[:4] {
			f.Add(uint8(op), path, `{}`, "{key}")
		}
	}
	for _, body := range []string{
		`{"key":"{key}"}`, `{"key":["{key}"]}`, `{"{key}":1}`, `{"key":{"{key}":"{key}"}}`, `{"key":"{key}","ttl":"{key}"}`,
		`{"key":"{key}","client_ip":"{key}"}`, `{"key":"{key}","scopes":["{key}"]}`, `{"key":"{key}","grace_period":1e308}`,
		`{"role":"web","name":"\u0000"}`, `{"role":"web","disables":"{id}"}`, `{"role":"web","disables":["{key}"],"description":"{key}"}`, `{"ttl":-1}`, `{"key_id":"{id}","version":"1"}`, `{"key_id":"..","version":1}`, `{"limit":1,"after":"0"}`,
		`{"batch_input":[{"key":"{key}"},{"key":{"{key}":1}},"{key}",null]}`, `{"batch_input":[]}`, `{"batch_input":[{"key":"{key}","brief":true,"cost":0,"client_ip":"{key}"}],"key":"{key}"}`,
		`{"key":"{key}","scopes":["read:a"],"ttl":60,"rate_limit":10,"rate_limit_period":"1s","quota":10,"quota_period":0}`, `{"key":"{key}","quota":1e300}`, `{"key":"{key}","cost":1000000000000001}`,
		`{"idle_timeout":"1s","quota":1,"quota_period":"{key}"}`, `{"max_delegation_depth":99,"max_keys_per_owner":1001,"rate_limit":9223372036854775807}`, `{"batch_input":"{key}"}`, `{"key":"{key}","recipients":"{key}"}`, `{"key":"{key}","recipients":["age16c2rp0kk09960nhcs8wrl0k8fas034e42s4yl5066er04qz7u40qlq6qar"]}`, `{"key":"{key}","recipients":[]}`, `{"allowed_recipients":["{key}"],"require_recipients":true}`, `{"key":"{key}","cost":-1}`, `{"reason":"{key}"}`,
		`{"keys":["{key}","x",""]}`, `{"keys":["{key}","{key}x"],"key_ids":["{id}","0000000000000000"],"roles":["web","none"],"owners":["acme","none"]}`, `{"keys":"{key},{key}"}`, `{"keys":[["{key}"]],"roles":{"{key}":1}}`, `{"key_ids":["{key}"]}`, `{"roles":["{key}"]}`, `{"owners":["{key}",".."]}`, `{"known":"{id}AAAAAAAAAAAA"}`, `{"known":"{key}"}`, `{"known":["{key}"]}`,
	} {
		for _, path := range []string{"verify", "rotate", "revoke", "issue/web", "roles/web", "config", "keys/{id}", "authorize", "authorize/web", "delegate", "stop/owners/acme", "stop/roles/web", "honeytokens/wiki", "gate/resolve", "gate/resolve/web", "gate/confirm"} {
			f.Add(uint8(0), path, body, "")
		}
		f.Add(uint8(0), "authorize", body, "{key}")
		f.Add(uint8(7), "issue/svc", body, "")
		f.Add(uint8(8), "issue/svc", body, "")
	}
	for _, body := range []string{
		`{"gate":"edge-1","run":"r"}`, `{"gate":"{key}","run":"r"}`, `{"gate":"edge-1","run":"{key}","nonce":"{key}"}`, `{"gate":"edge-1","run":"r","nonce":"n","cursor":"{key}"}`,
		`{"gate":"edge-1","run":"r","cursor":"1-0123456789abcdef.0","wait":1,"max_staleness":86400000,"stale_grace":0}`, `{"gate":"edge-1","run":"r","wait":5001}`, `{"gate":"edge-1","run":"r","wait":-1,"stale_grace":"{key}"}`,
	} {
		f.Add(uint8(0), "gate/changes", body, "")
	}
	for _, headers := range []string{
		"{key}\nX-Required-Scopes: read:a\nX-Client-Ip: 10.1.2.3", "{key}\n{key}", "{key}\nX-Required-Scopes: \nX-Client-Ip: ", "{key}\nx-api-key: {key}",
		"{key}\nX-Client-Ip: {key}", "X-Required-Scopes: {key}", "{key}\nX-Client-Ip: 10.1.2.3\nX-Client-Ip: 10.1.2.3",
	} {
		f.Add(uint8(0), "authorize/web", `{}`, headers)
		f.Add(uint8(1), "authorize", `{"client_ip":"10.1.2.3"}`, headers)
		f.Add(uint8(1), "verify", `{}`, headers)
	}
	var s *scene
	f.Fuzz(func(t *testing.T, op uint8, path, body, header string) {
		if s == nil {
			s = newScene(t)
		}
		var data map[string]any
		if json.Unmarshal([]byte(s.place(body)), &data) != nil {
			return // Vault answers these itself
		}
		m := s.open(t)
		defer m.Backend.Cleanup(m.Ctx)
		req := &logical.Request{
			Operation: fuzzedOperations[int(op)%len(fuzzedOperations)],
			Path:      s.place(path),
			Data:      data,
			Headers:   s.headers(header),
		}
		lease := req.Operation == logical.RenewOperation || req.Operation == logical.RevokeOperation
		if lease {
			req.Secret = &logical.Secret{InternalData: map[string]any{"secret_type": "api_key"}}
			for name, value := range data {
				req.Secret.InternalData[name] = value
			}
		}
		before := m.Storage.Dump()
		a := m.Send(m.Ctx, req)
		m.Backend.Cleanup(m.Ctx) // ends a tidy
		s.harmless(m, a, data)
		if a.Status >= http.StatusInternalServerError && !lease && req.Operation != logical.RollbackOperation && !known(a.Text) {
			t.Errorf("%s %q with %q: %d %s", req.Operation, req.Path, body, a.Status, a.Text)
		}
		asks := strings.HasPrefix(req.Path, "verify") || strings.HasPrefix(req.Path, "authorize")
		changes := a.OK() && req.Operation != logical.ReadOperation && req.Operation != logical.ListOperation && !asks
		if asks && a.OK() { // which may reserve a quota, and writes nothing else
			quota := "quota/" + s.id[:2] + "/" + s.id
			m.Storage.Plant(quota, string(before[quota]))
		}
		if !changes && req.Operation != logical.RollbackOperation && !m.Storage.SameAs(before) {
			t.Errorf("%s %q with %q, answered with %d, changed the storage", req.Operation, req.Path, body, a.Status)
		}
	})
}

// headers are one line each, 'Name: value'; a line without a name is the key.
func (s *scene) headers(lines string) map[string][]string {
	headers := make(map[string][]string)
	for line := range strings.SplitSeq(s.place(lines), "\n") {
		name, value, named := strings.Cut(line, ": ")
		if !named {
			name, value = "X-Api-Key", line
		}
		headers[name] = append(headers[name], value)
	}
	return headers
}

// known are the answers that Vault's framework turns into a status of its own
// further up.
func known(text string) bool {
	return text == logical.ErrUnsupportedOperation.Error() || text == logical.ErrUnsupportedPath.Error()
}

var knownEntries = regexp.MustCompile(`^(?:config|feed-term|tag-key|role/[A-Za-z0-9][A-Za-z0-9._@-]{0,127}|owner/[A-Za-z0-9][A-Za-z0-9._@-]{0,127}|key/..?/[0-9A-Za-z]{16}|owner-key/[^/]+/../[0-9A-Za-z]{16}|role-key/[^/]+/[A-Z2-7]{26}-\d+/../[0-9A-Za-z]{16}|roster/[^/]+/[^/]+|honeytoken/[A-Za-z0-9][A-Za-z0-9._@-]{0,127}|alert/[a-z_]+(?:\.[A-Za-z0-9][A-Za-z0-9._@-]{0,127})?|quota/../[0-9A-Za-z]{16}|usage/(?:mark|mount|owner/[A-Za-z0-9][A-Za-z0-9._@-]{0,127}|delta/\d+|key/../[0-9A-Za-z]{16}))$`)

// harmless holds what no request may do: panic, show a secret, or leave entries
// that do not belong.
func (s *scene) harmless(m *mount.Mount, a mount.Answer, data map[string]any) {
	m.T.Helper()
	log := m.Log.String()
	if strings.Contains(log, "a fault in the plugin") {
		m.T.Error("a panic was recovered")
	}
	shown := strings.Join(append(a.Warnings, a.Text, log), "\n")
	s.secrets.MustNotAppear(m.T, "an answer, a warning or the log", shown)
	if key, ok := data["key"].(string); ok && len(key) >= 12 && strings.Contains(shown, key) {
		m.T.Error("the presented key is echoed")
	}
	for path := range m.Storage.Dump() {
		if !knownEntries.MatchString(path) {
			m.T.Errorf("there is an entry %q", path)
		}
	}
	for _, p := range m.Problems() {
		if !p.Leftover {
			m.T.Errorf("storage: %v", p)
		}
	}
}
