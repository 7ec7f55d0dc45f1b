package paths

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestAHeaderIsFoundWhateverItsCase(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		headers map[string][]string
		want    []string
	}{
		"as the mount was tuned": {map[string][]string{"X-API-Key": {"k"}}, []string{"k"}},
		"in small letters":       {map[string][]string{"x-api-key": {"k"}}, []string{"k"}},
		"as Go writes it":        {map[string][]string{"X-Api-Key": {"k"}}, []string{"k"}},
		"twice":                  {map[string][]string{"X-Api-Key": {"k", "l"}}, []string{"k", "l"}},
		"under two spellings":    {map[string][]string{"X-Api-Key": {"k"}, "X-API-KEY": {"l"}}, []string{"k", "l"}},
		"among others":           {map[string][]string{"X-Api-Keys": {"no"}, "X-Api": {"no"}}, nil},
		"not at all":             {nil, nil},
	} {
		got := header(&logical.Request{Headers: tc.headers}, "X-API-Key")
		if slices.Sort(got); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// issued is a services with one unleased key of role web.
func issued(t *testing.T) (*services, map[string]any) {
	t.Helper()
	sv := newServices(t, systemView(time.Hour, 48*time.Hour))
	sv.role(t, "web", func(r *record.Role) { r.GenerateLease = false })
	return sv, sv.must(t, logical.UpdateOperation, "issue/web", map[string]any{"owner": "acme"}).Data
}

func TestWhereAKeyMayStand(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	text := key["key"].(string)
	in := func(keys ...string) map[string][]string { return map[string][]string{"X-Api-Key": keys} }
	for name, tc := range map[string]struct {
		op      logical.Operation
		path    string
		data    map[string]any
		headers map[string][]string
		code    any // nil for a mistake
	}{
		"in the body":                       {logical.UpdateOperation, "verify", map[string]any{"key": text}, nil, "valid"},
		"in the body, under its role":       {logical.UpdateOperation, "verify/web", map[string]any{"key": text}, nil, "valid"},
		"in the body, under another":        {logical.UpdateOperation, "verify/batch", map[string]any{"key": text}, nil, "invalid"},
		"under no role's name":              {logical.UpdateOperation, "verify/..", map[string]any{"key": text}, nil, "invalid"},
		"in the body, beside a header":      {logical.UpdateOperation, "verify", map[string]any{"key": text}, in("x"), "valid"},
		"in the header of a read":           {logical.ReadOperation, "verify/web", nil, in(text), "valid"},
		"twice in headers":                  {logical.ReadOperation, "verify", nil, in(text, text), nil},
		"nowhere, empty in a header":        {logical.ReadOperation, "verify", nil, in(""), nil},
		"nowhere, in a read":                {logical.ReadOperation, "verify", nil, nil, nil},
		"nowhere, in a body":                {logical.UpdateOperation, "verify", nil, nil, nil},
		"in the header of a write":          {logical.UpdateOperation, "verify", nil, in(text), nil},
		"empty in a body":                   {logical.UpdateOperation, "verify", map[string]any{"key": ""}, nil, nil},
		"in a query":                        {logical.ReadOperation, "verify", map[string]any{"key": text}, nil, nil},
		"in a query and a header":           {logical.ReadOperation, "verify", map[string]any{"key": text}, in(text), nil},
		"beside an address that is none":    {logical.UpdateOperation, "verify", map[string]any{"key": text, "client_ip": canary}, nil, nil},
		"beside an empty address":           {logical.UpdateOperation, "verify", map[string]any{"key": text, "client_ip": ""}, nil, nil},
		"beside an address with a port":     {logical.UpdateOperation, "verify", map[string]any{"key": text, "client_ip": "10.0.0.1:80"}, nil, nil},
		"beside scopes that are none":       {logical.UpdateOperation, "verify", map[string]any{"key": text, "scopes": []any{"a b"}}, nil, nil},
		"beside empty scopes":               {logical.UpdateOperation, "verify", map[string]any{"key": text, "scopes": " , "}, nil, nil},
		"beside no scopes":                  {logical.UpdateOperation, "verify", map[string]any{"key": text, "scopes": []any{}}, nil, "valid"},
		"no key, beside an address of none": {logical.UpdateOperation, "verify", map[string]any{"key": "x", "client_ip": "x"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := sv.ask(t, tc.op, tc.path, tc.data, tc.headers)
			if err != nil {
				t.Fatal(err)
			}
			if tc.code != nil && resp.Data["code"] == tc.code {
				return
			}
			if tc.code != nil || !resp.IsError() {
				t.Errorf("it answers %v", resp.Data)
			} else if says := resp.Error().Error(); strings.Contains(says, text) || strings.Contains(says, "CANARY") {
				t.Errorf("it says %q", says)
			}
		})
	}
}

func TestAKeyInAQueryIsTakenWhereTheOperatorSaysSo(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	_, err := sv.Store.UpdateConfig(t.Context(), func(c *record.Config) error { c.AllowKeyInQuery = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]any{"key": key["key"]}
	if got := sv.must(t, logical.ReadOperation, "verify/web", data).Data["code"]; got != "valid" {
		t.Errorf("it is %v", got)
	}
	resp, err := sv.ask(t, logical.ReadOperation, "verify", data, map[string][]string{"X-Api-Key": {"k"}})
	if err != nil || !resp.IsError() {
		t.Errorf("in a query and a header it answers %v, %v", resp, err)
	}
}

func TestWhatAnAnswerShows(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	ask := func(text any) map[string]any {
		return sv.must(t, logical.UpdateOperation, "verify", map[string]any{"key": text}).Data
	}
	if got, want := ask("x"), map[string]any{"valid": false, "code": "invalid", "http_status": 401}; !maps.Equal(got, want) {
		t.Errorf("of what is no key: %v", got)
	}
	got := ask(key["key"])
	if got["valid"] != true || got["key_id"] != key["key_id"] || got["owner"] != "acme" || got["expires_at"] != key["expires_at"] || got["superseded"] != false || got["valid_until"] != "" {
		t.Errorf("of a valid key: %v", got)
	}
	if _, shown := got["missing_scopes"]; shown {
		t.Error("a valid key lacks scopes")
	}
	for name, value := range got {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
	sv.must(t, logical.UpdateOperation, "rotate/"+key["key_id"].(string), map[string]any{"grace_period": "60"})
	if got := ask(key["key"]); got["valid"] != true || got["superseded"] != true || got["valid_until"] == "" || got["version"] != 1 {
		t.Errorf("of a version in its grace: %v", got)
	}
	sv.must(t, logical.UpdateOperation, "revoke/"+key["key_id"].(string), nil)
	if got := ask(key["key"]); got["valid"] != false || got["code"] != "revoked" || got["http_status"] != 401 || got["key_id"] != key["key_id"] {
		t.Errorf("of a revoked key: %v", got)
	}
	resp := sv.must(t, logical.UpdateOperation, "verify", map[string]any{"key": sv.must(t, logical.UpdateOperation, "issue/web", nil).Data["key"], "scopes": "a,b"})
	if got := resp.Data; got["code"] != "insufficient_scope" || !slices.Equal(got["missing_scopes"].([]string), []string{"a", "b"}) || got["http_status"] != 403 {
		t.Errorf("of a key that lacks scopes: %v", got)
	}
}
