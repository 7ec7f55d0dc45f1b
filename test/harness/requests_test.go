package harness

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTheAPIShowsStatusHeadersAndNumbersAsTheyCame(t *testing.T) {
	s := servers.Server(t)
	r := s.Expect(t, 200, "GET", "sys/mounts/sys/tune", nil)
	if r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("the header is %q", r.Header)
	}
	if _, exact := r.Data()["max_lease_ttl"].(json.Number); !exact {
		t.Errorf("max_lease_ttl is a %T, wanted a json.Number", r.Data()["max_lease_ttl"])
	}
	if r := s.Expect(t, 404, "GET", "no/such/mount", nil); !strings.Contains(r.Errors(), "no handler") {
		t.Errorf("the error is %q", r.Errors())
	}
	s.Expect(t, 204, "POST", "sys/policies/acl/"+uniqueName("policy"), `{"policy": "# nothing"}`)
	s.Expect(t, 403, "GET", "sys/mounts", nil, "X-Vault-Token: wrong")
}

func TestTheClientLibraryReadsWhatTheAPIWrote(t *testing.T) {
	s := servers.Server(t)
	secret, err := s.Client(t).Logical().ReadWithContext(t.Context(), putSecret(t, s, "read"))
	if err != nil || secret.Data["value"] != "read" {
		t.Errorf("got %v, %v", secret, err)
	}
}

func TestTheCommandLineIsTheRealOne(t *testing.T) {
	s := servers.Server(t)
	path := putSecret(t, s, "first")
	if got := s.MustCLI(t, "read", "-field=value", path); got != "first" {
		t.Errorf("read %q", got)
	}
	if o := s.CLIWithInput(t, "from stdin", "write", path, "value=-"); o.Code != 0 {
		t.Errorf("write exits with %d: %s", o.Code, o.Stderr)
	}
	wantSecret(t, s, path, "from stdin")
	if o := s.ExpectCLI(t, 2, "read", path+"/missing"); !strings.Contains(o.Stderr, "No value found") {
		t.Errorf("stderr is %q", o.Stderr)
	}
	s.ExpectCLI(t, 1, "read")
}

func TestATokenMayDoWhatItsPolicySaysAndNothingElse(t *testing.T) {
	s := servers.Server(t)
	path, other := putSecret(t, s, "mine"), putSecret(t, s, "other")
	reader := s.As(s.TokenWith(t, `path "`+path+`" { capabilities = ["read"] }`, map[string]any{"ttl": "5m"}))
	wantSecret(t, reader, path, "mine")
	reader.Expect(t, 403, "POST", path, map[string]any{"value": "changed"})
	reader.Expect(t, 403, "GET", other, nil)
	s.As("").Expect(t, 403, "GET", path, nil)
}

func TestAnEntityTokenRendersTheEntitysNameInPolicies(t *testing.T) {
	s := servers.Server(t)
	mount := s.MountNew(t, Mount{Type: "kv"})
	policy := `path "` + mount + `/{{identity.entity.name}}" { capabilities = ["update", "create", "read"] }`
	acme := s.As(s.EntityToken(t, uniqueName("acme"), policy))
	acme.Expect(t, 403, "POST", mount+"/other", map[string]any{"value": "x"})

	name := uniqueName("umbrella")
	for range 2 { // an entity may log in more than once
		umbrella := s.As(s.EntityToken(t, name, policy))
		umbrella.Expect(t, 204, "POST", mount+"/"+name, map[string]any{"value": "x"})
	}
}
