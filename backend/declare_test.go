package backend_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/trials/mount"
)

func TestEveryOperationIsDeclaredAndExplained(t *testing.T) {
	m := mount.New(t)
	for _, p := range backend.PathsOf(m.Backend) {
		if p.HelpSynopsis == "" || p.HelpDescription == "" {
			t.Errorf("%s has no help", p.Pattern)
		}
		if len(p.Operations) == 0 {
			t.Errorf("%s can do nothing", p.Pattern)
		}
		for name, f := range p.Fields {
			if f.Description == "" {
				t.Errorf("%s: parameter %s is not explained", p.Pattern, name)
			}
		}
		for op, o := range p.Operations {
			declaredOperation(t, p.Pattern+" "+string(op), o.Properties())
		}
	}
}

func declaredOperation(t *testing.T, what string, o framework.OperationProperties) {
	t.Helper()
	if o.Summary == "" || !strings.HasSuffix(o.Summary, ".") {
		t.Errorf("%s: its summary is no sentence: %q", what, o.Summary)
	}
	if len(o.Responses) != 1 {
		t.Errorf("%s declares %d responses", what, len(o.Responses))
	}
	for status, responses := range o.Responses {
		if len(responses) != 1 || responses[0].Description != http.StatusText(status) {
			t.Errorf("%s: its %d is not described by one response", what, status)
		}
		for _, r := range responses {
			if (status == http.StatusNoContent || r.MediaType != "") != (len(r.Fields) == 0) {
				t.Errorf("%s: %d with %d fields", what, status, len(r.Fields))
			}
			for name, f := range r.Fields {
				if f.Description == "" {
					t.Errorf("%s: answer %s is not explained", what, name)
				}
			}
		}
	}
}

func TestOperationsThatWriteAreForwardedAndOthersAreNot(t *testing.T) {
	m := mount.New(t)
	for _, p := range backend.PathsOf(m.Backend) {
		for op, o := range p.Operations {
			properties := o.Properties()
			writes := op != logical.ReadOperation && op != logical.ListOperation && !strings.HasPrefix(p.Pattern, "verify") && !strings.HasPrefix(p.Pattern, "authorize")
			if properties.ForwardPerformanceStandby != writes || properties.ForwardPerformanceSecondary != writes {
				t.Errorf("%s %s: forwarded=%t, writes=%t", p.Pattern, op, properties.ForwardPerformanceStandby, writes)
			}
		}
	}
}

// TestEveryOperationAnswersAsDeclared sends one request that works to every
// operation of every path; the harness holds each answer against its
// declaration.
func TestEveryOperationAnswersAsDeclared(t *testing.T) {
	m := mount.New(t)
	asked := make(map[string]bool)
	ask := func(op logical.Operation, path string, data map[string]any, want int) mount.Answer {
		t.Helper()
		a := m.Do(op, path, data)
		if a.Status != want {
			t.Errorf("%s %s: %d %s, want %d", op, path, a.Status, a.Text, want)
		}
		asked[m.Route(path).Pattern+" "+string(op)] = true
		return a
	}
	const (
		update, read, list, remove = logical.UpdateOperation, logical.ReadOperation, logical.ListOperation, logical.DeleteOperation
	)
	role := map[string]any{"generate_lease": false, "rotation_period": "1h", "allowed_scopes": []string{"read:*"}, "metadata": map[string]any{"tier": "gold"}, "rate_limit": 100, "quota": 1000, "quota_period": "1h", "max_delegation_depth": 1}
	ask(update, "roles/web", role, 200)
	asked[m.Route("roles/web").Pattern+" create"] = true
	ask(update, "roles/web", nil, 200)
	ask(update, "roles/leased", nil, 200)
	ask(read, "roles/web", nil, 200)
	ask(list, "roles/", nil, 200)
	ask(update, "config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "argon2_parallelism": 1}, 200)
	ask(read, "config", nil, 200)

	k := ask(update, "issue/web", map[string]any{"owner": "acme", "scopes": []string{"read:users"}, "name": "n", "metadata": map[string]any{"a": "b"}}, 200)
	ask(update, "issue", map[string]any{"role": "leased"}, 200)
	id, owned := k.Str("key_id"), "owners/acme/keys/"+k.Str("key_id")
	for _, path := range []string{"verify", "verify/web"} {
		ask(update, path, map[string]any{"key": k.Str("key")}, 200)
		ask(update, path, map[string]any{"key": "wrong"}, 200)
		ask(update, path, map[string]any{"key": k.Str("key"), "scopes": []string{"write"}}, 200)
		m.Send(t.Context(), &logical.Request{Operation: read, Path: path, Headers: map[string][]string{"X-API-Key": {k.Str("key")}}})
		asked[m.Route(path).Pattern+" read"] = true
	}
	for _, path := range []string{"authorize", "authorize/web"} {
		ask(update, path, map[string]any{"key": k.Str("key")}, 200)
		ask(update, path, map[string]any{"key": "wrong"}, 401)
		ask(update, path, map[string]any{"key": k.Str("key"), "scopes": []string{"write"}}, 403)
		ask(read, path, nil, 401)
	}
	ask(update, "verify", map[string]any{"key": k.Str("key"), "brief": true}, 200)
	ask(update, "verify", map[string]any{"key": k.Str("key"), "cost": 101}, 200)
	ask(update, "verify", map[string]any{"batch_input": []any{map[string]any{"key": k.Str("key")}, map[string]any{"kex": 1}}}, 200)
	ask(update, "delegate", map[string]any{"key": k.Str("key"), "scopes": []string{"read:users"}, "ttl": "1m"}, 200)
	ask(list, "keys/", nil, 200)
	ask(list, "owners/", nil, 200)
	ask(list, "owners/acme/keys/", nil, 200)
	for _, path := range []string{"keys/" + id, owned} {
		ask(read, path, nil, 200)
		ask(update, path, map[string]any{"name": "other"}, 200)
	}
	for _, path := range []string{"usage", "usage/keys/" + id, "usage/owners/acme", "metrics"} {
		ask(read, path, nil, 200)
	}
	for _, path := range []string{"usage/keys/" + id[:15], "usage/keys/0000000000000000", "usage/owners/nobody", "usage/owners/.."} {
		ask(read, path, nil, 404)
	}
	ask(update, "rotate", map[string]any{"key": k.Str("key")}, 200)
	ask(update, "rotate/"+id, map[string]any{"grace_period": 0}, 200)
	k = ask(update, owned+"/rotate", nil, 200)
	for _, path := range []string{"rotate/" + id, owned + "/rotate"} {
		ask(update, path, map[string]any{"activation": "first_use", "pending_period": "1h"}, 200)
		ask(update, path+"/rollback", map[string]any{"reason": "r"}, 200)
		k = ask(update, path, map[string]any{"activation": "first_use", "grace_period": "1h"}, 200)
		ask(update, path+"/finish", map[string]any{"grace_period": "1m"}, 200)
	}
	const static = "static-keys/app"
	ask(update, static, map[string]any{"role": "web", "owner": "acme"}, 200)
	asked[m.Route(static).Pattern+" create"] = true
	ask(update, static, map[string]any{"name": "other", "ttl": "1h"}, 200)
	ask(read, static, nil, 200)
	ask(list, "static-keys/", nil, 200)
	ask(update, static+"/rotate", map[string]any{"activation": "first_use"}, 200)
	ask(update, static+"/rollback", map[string]any{"reason": "r"}, 200)
	ask(update, static+"/rotate", nil, 200)
	ask(update, static+"/finish", nil, 200)
	ask(remove, static, nil, 204)
	ask(remove, static, nil, 204)
	ask(read, static, nil, 404)
	ask(update, "honeytokens/wiki", map[string]any{"role": "web", "description": "d", "disables": []string{id}}, 200)
	asked[m.Route("honeytokens/wiki").Pattern+" create"] = true
	trap := ask(update, "honeytokens/repo", map[string]any{"role": "web"}, 200).Str("key")
	ask(update, "honeytokens/wiki", map[string]any{"disables": []string{}}, 200)
	ask(read, "honeytokens/wiki", nil, 200)
	ask(list, "honeytokens/", nil, 200)
	ask(update, "verify", map[string]any{"key": trap, "client_ip": "192.0.2.1"}, 200)
	ask(list, "alerts/", nil, 200)
	ask(read, "alerts/honeytoken_used.repo", nil, 200)
	ask(remove, "alerts/honeytoken_used.repo", nil, 204)
	ask(remove, "honeytokens/repo", nil, 204)
	poll := map[string]any{"gate": "edge-1", "run": "r1", "nonce": "n1", "max_staleness": 10000, "stale_grace": 0}
	ask(update, "gate/changes", poll, 200)
	poll["cursor"], poll["wait"] = ask(update, "gate/changes", poll, 200).Str("cursor"), 1
	ask(update, "gate/changes", poll, 200)
	for _, path := range []string{"gate/resolve", "gate/resolve/web"} {
		ask(update, path, map[string]any{"keys": []string{k.Str("key"), "x"}, "key_ids": []string{id, "0000000000000000"}, "roles": []string{"web"}, "owners": []string{"acme"}}, 200)
	}
	ask(update, "gate/confirm", map[string]any{"known": id + "AAAAAAAAAAAA"}, 200)
	want := []any{map[string]any{"key_id": id, "need": 1}}
	ask(update, "gate/reserve/web", map[string]any{"gate": "edge-1", "run": "r1", "want": want}, 200)
	uses := []any{map[string]any{"code": "invalid", "count": 2, "at": 1}}
	ask(update, "gate/report/web", map[string]any{"gate": "edge-1", "run": "r1", "sequence": 1, "uses": uses}, 200)
	ask(list, "gates/", nil, 200)
	ask(read, "gates/edge-1", nil, 200)
	ask(read, "gates/none", nil, 404)
	ask(update, "revoke", map[string]any{"key": k.Str("key"), "reason": "r"}, 200)
	ask(update, "revoke/"+id, nil, 200)
	ask(update, owned+"/revoke", nil, 200)
	ask(update, "verify", map[string]any{"key": k.Str("key")}, 200)
	ask(remove, "keys/"+id, nil, 204)
	ask(remove, owned, nil, 204)
	ask(update, "tidy", nil, 200)
	ask(read, "tidy-status", nil, 200)
	ask(read, "info", nil, 200)
	for path, reason := range map[string]any{"stop/owners/acme": "leaked", "stop/owners/nobody": "", "stop/roles/web": "leaked"} {
		ask(update, path, map[string]any{"reason": reason}, 200)
	}
	ask(remove, "roles/web", nil, 204)
	m.Tidy()

	for _, p := range backend.PathsOf(m.Backend) {
		for op := range p.Operations {
			if !asked[p.Pattern+" "+string(op)] {
				t.Errorf("no request was sent to %s %s", op, p.Pattern)
			}
		}
	}
}

func TestOpenAPIDescribesEveryPath(t *testing.T) {
	m := mount.New(t)
	resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{
		Operation: logical.HelpOperation,
		Storage:   m.Storage,
		Data:      map[string]any{"requestResponsePrefix": "api-keys"},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(resp.Data["openapi"])
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/verify", "/verify/{role}", "/issue", "/issue/{role}", "/rotate", "/rotate/{key_id}", "/revoke", "/revoke/{key_id}",
		"/keys/", "/keys/{key_id}", "/owners/", "/owners/{owner}/keys/", "/owners/{owner}/keys/{key_id}",
		"/owners/{owner}/keys/{key_id}/rotate", "/owners/{owner}/keys/{key_id}/revoke",
		"/roles/", "/roles/{role}", "/config", "/tidy", "/tidy-status", "/info", "/usage", "/usage/keys/{key_id}", "/usage/owners/{owner}",
		"/authorize", "/authorize/{role}", "/delegate", "/honeytokens/", "/honeytokens/{honeytoken}", "/alerts/", "/alerts/{alert}", "/gate/changes", "/gate/resolve", "/gate/resolve/{role}", "/gate/confirm", "/gate/reserve/{role}", "/gate/report/{role}", "/gates/", "/gates/{gate}", "/static-keys/", "/static-keys/{static_name}", "/static-keys/{static_name}/rotate", "/stop/owners/{owner}", "/stop/roles/{role}",
	} {
		if document.Paths[want] == nil {
			t.Errorf("the OpenAPI document has no %s", want)
		}
	}
	sudo := func(path string) bool { marked, _ := document.Paths[path]["x-vault-sudo"].(bool); return marked }
	for path := range document.Paths {
		if want := slices.Contains([]string{"/config", "/tidy", "/stop/owners/{owner}", "/stop/roles/{role}", "/honeytokens/", "/honeytokens/{honeytoken}", "/alerts/", "/alerts/{alert}"}, path); sudo(path) != want {
			t.Errorf("%s: sudo=%t, want %t", path, sudo(path), want)
		}
	}
	if text, _ := resp.Data["help"].(string); !strings.Contains(text, "verify/<role>") {
		t.Errorf("the mount's help does not say where to begin: %q", text)
	}
}

func TestEveryPathHasHelp(t *testing.T) {
	m := mount.New(t)
	for _, path := range []string{"verify", "verify/web", "issue/web", "keys/x", "owners/acme/keys/x/rotate", "roles/web", "config", "tidy"} {
		resp, err := m.Backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.HelpOperation, Path: path, Storage: m.Storage})
		if err != nil || resp == nil || resp.Data["help"] == "" {
			t.Errorf("help of %s: %v, %v", path, resp, err)
		}
	}
}
