package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// What operators type. Answers are read as JSON, as scripts do.

func (e engine) cli(t *testing.T, command string, arguments ...string) harness.Response {
	t.Helper()
	words := append(strings.Fields(command), "-format=json")
	for i, a := range arguments {
		arguments[i] = strings.ReplaceAll(a, "apikeys/", e.Mount+"/")
	}
	return decoded(t, e.MustCLI(t, append(words, arguments...)...))
}

func decoded(t *testing.T, text string) (r harness.Response) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&r.JSON); err != nil {
		t.Fatalf("the command did not print a JSON object: %v", err)
	}
	return r
}

func decodedList(t *testing.T, text string) (list []any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("the command did not print a JSON list: %v", err)
	}
	return list
}

func TestTheCommandLineIssuesVerifiesAndRevokesAKey(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.cli(t, "write", "apikeys/roles/web", "prefix=acme_live", "allowed_scopes=read:*,write:*", "default_scopes=read:*", "ttl=1h")

	plain := surface.KeyOf(t, e.cli(t, "write", "apikeys/issue", "role=web"))
	named := surface.KeyOf(t, e.cli(t, "write", "apikeys/issue/web", "owner=acme", "name=ci", "scopes=read:users,write:users",
		"metadata=team=payments", "metadata=env=prod", "ttl=30m"))
	wantShape(t, "issue", plain.Data, leasedShape)
	surface.WantFields(t, "issue/web", named.Data, fields{
		"role": "web", "owner": "acme", "name": "ci", "scopes": []string{"read:users", "write:users"},
		"metadata": fields{"team": "payments", "env": "prod"}, "status": "active", "version": 1,
	})
	if !about(named.Seconds, 1800) || !strings.HasPrefix(named.Text, "acme_live_") {
		t.Errorf("the lease has %d seconds", named.Seconds)
	}
	text := e.MustCLI(t, "write", "-field=key", e.path("issue/web"), "owner=acme")
	e.WantCode(t, "valid", text)

	for _, path := range []string{"apikeys/verify", "apikeys/verify/web"} {
		d := e.cli(t, "write", path, "key="+named.Text, "scopes=read:users", "client_ip=192.0.2.7").Data()
		surface.WantFields(t, path, d, fields{"valid": true, "code": "valid", "http_status": 200, "key_id": named.ID, "owner": "acme"})
	}
	if o := e.CLIWithInput(t, named.Text, "write", "-field=code", e.path("verify"), "key=-"); o.Code != 0 || o.Stdout != "valid" {
		t.Errorf("verify key=- exits with %d and prints %q", o.Code, o.Stdout)
	}
	d := e.cli(t, "read -header=X-API-Key="+named.Text, "apikeys/verify").Data()
	surface.WantFields(t, "verify by header", d, fields{"code": "valid", "key_id": named.ID})
	d = e.cli(t, "read -header=X-API-Key="+named.Text, "apikeys/verify/web", "scopes=delete:users").Data()
	surface.WantFields(t, "verify by header", d, fields{"code": "insufficient_scope", "missing_scopes": []string{"delete:users"}})

	d = e.cli(t, "write", "apikeys/revoke", "key="+named.Text, "reason=leaked").Data()
	surface.WantFields(t, "revoke", d, fields{"status": "revoked", "revoke_reason": "leaked"})
	d = e.cli(t, "write -force", "apikeys/revoke/"+plain.ID).Data()
	surface.WantFields(t, "revoke/:key_id", d, fields{"status": "revoked", "revoke_reason": ""})
	d = e.cli(t, "write", "apikeys/verify", "key="+named.Text).Data()
	surface.WantFields(t, "verify", d, fields{"valid": false, "code": "revoked", "http_status": 401})
}

func TestTheCommandLineRotatesByBothDoors(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.cli(t, "write", "apikeys/roles/app", "generate_lease=false")
	first := surface.KeyOf(t, e.cli(t, "write", "apikeys/issue/app", "owner=acme"))
	second := surface.KeyOf(t, e.cli(t, "write", "apikeys/rotate", "key="+first.Text, "grace_period=10m"))
	wantShape(t, "rotate", second.Data, unleasedShape.with(previousShape))
	third := surface.KeyOf(t, e.cli(t, "write", "apikeys/rotate/"+first.ID, "expected_version=2", "grace_period=0"))
	surface.WantFields(t, "rotate/:key_id", third.Data, fields{"key_id": first.ID, "version": 3, "previous_version": 2})
	e.WantCode(t, "superseded", first.Text)
	e.WantCode(t, "superseded", second.Text)
	e.WantCode(t, "valid", third.Text)
	fourth := surface.KeyOf(t, e.cli(t, "write -force", "apikeys/owners/acme/keys/"+first.ID+"/rotate"))
	surface.WantFields(t, "owners/…/rotate", fourth.Data, fields{"version": 4})
}

func TestTheCommandLineRenewsAndRevokesLeases(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.cli(t, "write", "apikeys/roles/web", "ttl=10m", "max_ttl=1h")
	one, two, three, other := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil), e.Minted(t, "issue", fields{"role": "web"})

	if r := e.cli(t, "lease renew -increment=20m", one.Lease); !about(leaseSeconds(t, r), 1200) {
		t.Errorf("the renewed lease has %v seconds", r.JSON["lease_duration"])
	}
	e.wantTogether(t, one)
	e.MustCLI(t, "lease", "revoke", "-sync", one.Lease)
	e.WantCode(t, "revoked", one.Text)
	e.WantCode(t, "valid", two.Text)
	e.MustCLI(t, "lease", "revoke", "-sync", "-prefix", e.path("issue/web"))
	e.WantCode(t, "revoked", two.Text)
	e.WantCode(t, "revoked", three.Text)
	// A lease stands under the path that was called.
	e.WantCode(t, "valid", other.Text)
}

func TestTheCommandLineWrapsAKeyForItsHolder(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"ttl": "1h"})
	wrapped := e.CLI(t, "write", "-wrap-ttl=60s", "-field=wrapping_token", e.path("issue/web"), "owner=acme")
	if wrapped.Code != 0 {
		t.Fatalf("exit code %d: %s", wrapped.Code, wrapped.Stderr)
	}
	text := e.MustCLI(t, "unwrap", "-field=key", wrapped.Stdout)
	e.WantCode(t, "valid", text)
	// Once only.
	e.ExpectCLI(t, 2, "unwrap", "-field=key", wrapped.Stdout)
}

func TestTheCommandLineExplainsThePathsAndRefusesAKeyInAQuery(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	for _, path := range []string{"", "config", "roles", "roles/web", "issue", "issue/web", "rotate", "rotate/x", "revoke", "revoke/x",
		"verify", "verify/web", "keys", "keys/x", "owners", "owners/acme/keys", "owners/acme/keys/x", "owners/acme/keys/x/rotate",
		"owners/acme/keys/x/revoke", "tidy", "tidy-status", "info", "metrics", "usage", "usage/owners/acme", "usage/keys/x"} {
		help := e.MustCLI(t, "path-help", e.path(path))
		if !strings.Contains(help, "## DESCRIPTION") {
			t.Errorf("path-help of %q has no description", path)
		}
	}
	e.Write(t, "roles/web", nil)
	k := e.issue(t, "web", nil)
	if o := e.ExpectCLI(t, 2, "read", e.path("verify"), "key="+k.Text); !strings.Contains(o.Stderr, "audit log") {
		t.Errorf("the refusal of a key in a query does not say why: %s", o.Stderr)
	}
	// The command prints the URL that it asked for; the server's own answer has no key.
	if r := e.Want(t, 400, "GET", "verify?key="+k.Text, nil); strings.Contains(string(r.Raw), k.Text) {
		t.Error("the refusal shows the key")
	}
	e.Write(t, "config", fields{"allow_key_in_query": true})
	if got := e.MustCLI(t, "read", "-field=code", e.path("verify"), "key="+k.Text); got != "valid" {
		t.Errorf("where the configuration allows it, verify answers %q", got)
	}
}
