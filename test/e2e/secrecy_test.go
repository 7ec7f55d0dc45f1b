package e2e

import (
	"bytes"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// told is a mount all of whose answers are kept, but those that show a new key.
type told struct {
	engine
	answers bytes.Buffer
	// hidden are keys that were sent and answered as they should be, or in ways that Vault hides as well. named are
	// keys that were sent where Vault's audit log shows what it gets, and pathed those in paths, which its trace log
	// shows, too: to keep these secret is no more in the engine's hands.
	hidden, named, pathed search
	leases                []key // whose text lies in the lease
}

// tell makes one request of whatever status and keeps its answer.
func (e *told) tell(t *testing.T, method, path string, body any, headers ...string) int {
	t.Helper()
	r := e.API(t, method, e.path(path), body, headers...)
	e.answers.Write(r.Raw)
	e.answers.WriteByte('\n')
	return r.Status
}

func (e *told) refuse(t *testing.T, method, path string, body any) {
	t.Helper()
	if status := e.tell(t, method, path, body); status < 400 || status >= 500 {
		t.Errorf("%s %s answers %d, wanted a refusal", method, path, status)
	}
}

// fresh is a new key for a use that shows what is sent.
func (e *told) fresh(t *testing.T, what string, in search) string {
	t.Helper()
	k := e.issue(t, "free", nil)
	in.add(what, k.Text)
	return k.Text
}

// live takes keys through everything that can happen to them.
func (e *told) live(t *testing.T) (leased, free key) {
	t.Helper()
	e.Write(t, "roles/leased", fields{"ttl": "1h", "prefix": "acme_live"})
	e.Write(t, "roles/free", fields{"generate_lease": false, "allowed_scopes": []string{"read:*"}, "metadata": fields{"a": "b"}})
	mint := func(path string, body fields) key {
		k := e.Minted(t, path, body)
		e.hidden.add("a key of "+path, k.Text)
		if k.Lease != "" {
			e.leases = append(e.leases, k)
		}
		return k
	}
	leased, renewed, ended := mint("issue/leased", nil), mint("issue/leased", nil), mint("issue", fields{"role": "leased"})
	mint("rotate/"+leased.ID, fields{"grace_period": "1h"})
	e.renew(t, renewed.Lease, 0)
	e.endLease(t, ended.Lease)
	e.leases = []key{e.leases[0], e.leases[3]}

	free = mint("issue/free", fields{"owner": "acme", "scopes": []string{"read:users"}})
	free = mint("rotate", fields{"key": free.Text})
	free = mint("owners/acme/keys/"+free.ID+"/rotate", nil)
	gone, deleted := mint("issue/free", nil), mint("issue/free", nil)
	e.Write(t, "config", fields{"argon2_iterations": 3})
	e.tell(t, "POST", "verify", fields{"key": free.Text, "scopes": "read:users,write:users", "client_ip": "192.0.2.1"})
	e.tell(t, "POST", "verify/free", fields{"key": free.Text})
	e.tell(t, "POST", "verify/leased", fields{"key": free.Text})
	e.tell(t, "GET", "verify/free", nil, "X-API-Key: "+free.Text)
	e.eventuallyHashed(t, free.ID, "m=19456,t=3,p=1")
	e.tell(t, "POST", "gate/resolve/free", fields{"keys": []string{free.Text, gone.Text, free.Text + "0"}})
	e.tell(t, "POST", "keys/"+free.ID, fields{"name": "n", "disabled": false})
	e.tell(t, "GET", "keys/"+free.ID, nil)
	e.tell(t, "LIST", "keys", nil)
	e.tell(t, "POST", "revoke", fields{"key": gone.Text, "reason": "leaked"})
	e.tell(t, "POST", "revoke", fields{"key": gone.Text})
	e.refuse(t, "POST", "rotate", fields{"key": gone.Text})
	e.tell(t, "DELETE", "keys/"+deleted.ID, nil)
	e.refuse(t, "POST", "revoke", fields{"key": deleted.Text})
	e.plant(t)
	e.tidy(t)
	e.wrap(t)
	return leased, free
}

// plant has a honeytoken used by each way to present a key, and asks all that is told of it.
func (e *told) plant(t *testing.T) {
	t.Helper()
	beside := e.issue(t, "free", nil)
	text, _ := e.Write(t, "honeytokens/wiki", fields{"role": "free", "description": "in the wiki", "disables": []string{beside.ID}})["key"].(string)
	e.hidden.add("a honeytoken", text)
	for _, path := range []string{"verify", "verify/free", "authorize", "rotate", "revoke", "delegate"} {
		e.tell(t, "POST", path, fields{"key": text})
	}
	e.tell(t, "GET", "verify", nil, "X-API-Key: "+text)
	e.tell(t, "POST", "verify", fields{"batch_input": []fields{{"key": text}}})
	e.tell(t, "POST", "gate/resolve", fields{"keys": []string{text}})
	e.eventuallyCode(t, "disabled", beside.Text)
	e.refuse(t, "POST", "honeytokens/wiki", fields{"disables": text})
	e.tell(t, "POST", "honeytokens/wiki", fields{"description": "in the vault"})
	for _, path := range []string{"honeytokens/wiki", "alerts/honeytoken_used.wiki", "metrics", "usage", "keys/" + beside.ID} {
		if status := e.tell(t, "GET", path, nil); status != 200 {
			t.Errorf("GET %s answers %d", path, status)
		}
	}
	e.tell(t, "LIST", "honeytokens", nil)
	e.tell(t, "LIST", "alerts", nil)
	e.tell(t, "DELETE", "alerts/honeytoken_used.wiki", nil)
}

// wrap has a key wrapped by Vault and takes it out.
func (e *told) wrap(t *testing.T) {
	t.Helper()
	r := e.Expect(t, 200, "POST", e.path("issue/free"), nil, "X-Vault-Wrap-TTL: 60")
	e.answers.Write(r.Raw)
	info, _ := r.JSON["wrap_info"].(fields)
	token, _ := info["token"].(string)
	k := surface.KeyOf(t, e.Expect(t, 200, "POST", "sys/wrapping/unwrap", nil, "X-Vault-Token: "+token))
	e.hidden.add("a wrapped key", k.Text)
	e.WantCode(t, "valid", k.Text)
}

// misuse sends a key in every wrong way that Vault's audit log hides.
func (e *told) misuse(t *testing.T, k key) {
	t.Helper()
	for _, path := range []string{"verify", "verify/free", "rotate", "revoke"} {
		for _, value := range []any{
			[]string{k.Text}, []any{[]string{k.Text}}, fields{"a": k.Text}, []any{fields{"a": k.Text}, 1}, true, 7, 1e300, nil,
		} {
			e.refuse(t, "POST", path, fields{"key": value})
		}
		for _, field := range []string{"secret", "keys", "Key", "x-api-key", "role_id", "batch"} {
			e.refuse(t, "POST", path, fields{"key": k.Text, field: k.Text})
			e.refuse(t, "POST", path, fields{"key": k.Text, field: fields{"a": k.Text}})
		}
		// What is no JSON object ends in Vault, with a status of its own.
		for _, body := range []string{`{"key": "` + k.Text + `"`, `{"key": ` + k.Text + `}`, `["` + k.Text + `"]`, k.Text} {
			if status := e.tell(t, "POST", path, body); status < 400 {
				t.Errorf("a body that is no JSON object is answered with %d", status)
			}
		}
	}
	for path, names := range map[string][]string{
		"verify":         {"client_ip"},
		"rotate":         {"grace_period", "ttl", "expected_version"},
		"rotate/" + k.ID: {"grace_period", "ttl", "expected_version", "key"},
		"revoke/" + k.ID: {"key"},
		"issue/free":     {"ttl", "bound_cidrs", "metadata", "role", "key"},
		"issue":          {"role"},
		"keys/" + k.ID:   {"disabled", "bound_cidrs", "metadata", "key"},
		"roles/free": {"prefix", "ttl", "max_ttl", "generate_lease", "grace_period", "max_grace_period", "rotation_period", "bound_cidrs",
			"metadata", "owner_template", "require_owner", "disabled", "key"},
		"config": {"argon2_memory_kib", "argon2_iterations", "argon2_parallelism", "revoked_retention", "verify_cache_size",
			"allow_key_in_query", "default_prefix", "key"},
		"tidy":              {"key"},
		"gate/changes":      {"gate", "run", "nonce", "cursor", "wait", "max_staleness", "key"},
		"gate/resolve/free": {"key_ids", "roles", "owners", "nonce", "key"},
		"gate/confirm":      {"known", "nonce", "key"},
		"gate/reserve/free": {"gate", "run", "nonce", "want", "key"},
		"gate/report/free":  {"gate", "run", "sequence", "uses", "key"},
	} {
		for _, name := range names {
			for _, value := range []any{k.Text, []string{k.Text}, fields{"a": []string{k.Text}}} {
				body := fields{name: value}
				if (path == "verify" || path == "rotate") && name != "key" {
					body["key"] = k.Text
				}
				e.refuse(t, "POST", path, body)
			}
		}
	}
	for _, text := range []string{k.Text[:len(k.Text)-1], k.Text[1:], k.Text + "0", " " + k.Text, k.Text + "\n", strings.ToUpper(k.Text), k.Text + k.Text} {
		e.tell(t, "POST", "verify", fields{"key": text})
		e.refuse(t, "POST", "rotate", fields{"key": text})
		e.refuse(t, "POST", "revoke", fields{"key": text})
		e.tell(t, "GET", "verify", nil, "X-API-Key: "+text)
	}
}

// expose sends keys where Vault itself shows what it gets.
func (e *told) expose(t *testing.T) {
	t.Helper()
	for _, path := range []string{"verify", "rotate", "revoke", "issue/free", "roles/free", "config"} {
		e.refuse(t, "POST", path, fields{e.fresh(t, "a field name", e.named): "x"})
		e.refuse(t, "POST", path, fields{"key": fields{e.fresh(t, "a name in an object", e.named): "x"}})
	}
	e.refuse(t, "GET", "verify?key="+e.fresh(t, "a query", e.named), nil)
	e.refuse(t, "GET", "verify/free?key="+e.fresh(t, "a query", e.named), nil)
	e.refuse(t, "GET", "verify?client_ip="+e.fresh(t, "a query", e.named), nil)
	e.refuse(t, "LIST", "keys?after="+e.fresh(t, "a query", e.named), nil)
	e.refuse(t, "LIST", "keys?limit="+e.fresh(t, "a query", e.named), nil)
	inPath := e.fresh(t, "a path", e.pathed)
	for _, path := range []string{"keys/", "rotate/", "revoke/", "issue/", "owners/acme/keys/"} {
		e.refuse(t, "POST", path+inPath, nil)
	}
	e.refuse(t, "GET", "keys/"+inPath, nil)
	e.refuse(t, "GET", "roles/"+inPath, nil)
	e.refuse(t, "LIST", "owners/"+inPath+"/keys", nil)
	e.tell(t, "DELETE", "keys/"+inPath, nil)
	e.tell(t, "POST", "verify/"+inPath, fields{"key": "nonsense"})
}

func TestNoKeyAndNoHashShowsInLogsAnswersOrStorage(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true, Audit: true})
	e := &told{engine: mountedOn(t, server), hidden: search{}, named: search{}, pathed: search{}}
	leased, free := e.live(t)
	e.misuse(t, leased)
	e.misuse(t, free)
	e.expose(t)
	e.WantCode(t, "valid", leased.Text)
	e.WantCode(t, "valid", free.Text)

	audit, log := []byte(e.AuditLog(t)), []byte(e.Log())
	if !bytes.Contains(audit, []byte(e.path("verify"))) || !bytes.Contains(log, []byte("path=verify")) {
		t.Fatal("the audit log or the trace log has nothing of all that")
	}
	_, _, inAudit := e.named.find(audit)
	if _, _, inLog := e.pathed.find(log); !inAudit || !inLog {
		t.Fatal("the search misses keys where Vault itself shows them")
	}
	e.hidden.wantNothing(t, "the audit log", audit)
	for name, s := range map[string]search{"hidden": e.hidden, "named": e.named} {
		s.wantNothing(t, "the server's log ("+name+")", log)
	}
	for name, s := range map[string]search{"hidden": e.hidden, "named": e.named, "pathed": e.pathed} {
		s.wantNothing(t, "an answer ("+name+")", e.answers.Bytes())
	}
	for where, text := range map[string][]byte{"the audit log": audit, "the server's log": log, "an answer": e.answers.Bytes()} {
		if bytes.Contains(text, []byte("$argon2id$")) {
			t.Errorf("%s holds a hash", where)
		}
	}
	e.wantCleanStorage(t)
}

// wantCleanStorage walks all of Vault's storage. A key's text lies in the leases that were not renewed yet, and
// nowhere else.
func (e *told) wantCleanStorage(t *testing.T) {
	t.Helper()
	holders := map[string]key{}
	for _, k := range e.leases {
		holders["sys/expire/id/"+k.Lease] = k
	}
	entries := 0
	e.WalkRaw(t, "", func(path string, value []byte) {
		entries++
		if k, holds := holders[path]; holds {
			if !bytes.Contains(value, []byte(k.Text)) {
				t.Errorf("%s does not hold its key, which the documentation says it does", path)
			}
			value = bytes.ReplaceAll(value, []byte(k.Text), nil)
			delete(holders, path)
		}
		for _, s := range []search{e.hidden, e.named, e.pathed} {
			s.wantNothing(t, path, value)
			s.wantNothing(t, "the name of an entry", []byte(path))
		}
	})
	if len(holders) > 0 || entries < 50 {
		t.Errorf("storage has %d entries, and %d leases are not among them", entries, len(holders))
	}
}
