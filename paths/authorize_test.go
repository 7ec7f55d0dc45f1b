package paths

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

func TestAuthorizeAnswersByTheStatus(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	text, _ := key["key"].(string)
	loopback, err := network.Parse([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	sv.role(t, "bound", func(r *record.Role) {
		r.UID, r.GenerateLease, r.BoundCIDRs, r.AllowedScopes = "u2", false, loopback, []string{"read", "write"}
	})
	bound, _ := sv.must(t, logical.UpdateOperation, "issue/bound", params{"owner": "acme", "scopes": "read,write"}).Data["key"].(string)
	type headers = map[string][]string
	const read, update = logical.ReadOperation, logical.UpdateOperation
	for name, tc := range map[string]struct {
		op      logical.Operation
		path    string
		data    params
		headers headers
		status  int // 0 for a mistake
		code    string
	}{
		"a key in the header of a read":     {read, "authorize", nil, headers{"X-Api-Key": {text}}, 200, "valid"},
		"a key in the header of a write":    {update, "authorize", nil, headers{"X-Api-Key": {text}}, 200, "valid"},
		"a key in the body":                 {update, "authorize", params{"key": text}, nil, 200, "valid"},
		"under its role":                    {read, "authorize/web", nil, headers{"x-api-key": {text}}, 200, "valid"},
		"under another role":                {read, "authorize/bound", nil, headers{"X-API-Key": {text}}, 401, "invalid"},
		"no key, in a read":                 {read, "authorize", nil, nil, 401, "invalid"},
		"no key, in a write":                {update, "authorize", nil, nil, 401, "invalid"},
		"an empty key in the header":        {read, "authorize", nil, headers{"X-Api-Key": {""}}, 401, "invalid"},
		"an empty key in the body":          {update, "authorize", params{"key": ""}, nil, 401, "invalid"},
		"two keys in headers":               {read, "authorize", nil, headers{"X-Api-Key": {text, text}}, 401, "invalid"},
		"two headers":                       {read, "authorize", nil, headers{"X-Api-Key": {text}, "X-API-KEY": {text}}, 401, "invalid"},
		"a key in the header and the body":  {update, "authorize", params{"key": text}, headers{"X-Api-Key": {text}}, 401, "invalid"},
		"an empty header beside the body":   {update, "authorize", params{"key": text}, headers{"X-Api-Key": {""}}, 401, "invalid"},
		"a forged key":                      {update, "authorize", params{"key": text + "x"}, nil, 401, "invalid"},
		"a key in a query":                  {read, "authorize", params{"key": text}, nil, 0, ""},
		"an address and scopes, as data":    {update, "authorize", params{"key": bound, "client_ip": "10.0.0.1", "scopes": "read,write"}, nil, 200, "valid"},
		"an address and scopes, as headers": {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"10.0.0.1"}, "X-Required-Scopes": {"read,write"}}, 200, "valid"},
		"an address of elsewhere":           {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"192.0.2.1"}}, 403, "ip_denied"},
		"no address":                        {read, "authorize", nil, headers{"X-Api-Key": {bound}}, 403, "ip_denied"},
		"headers that nobody consults":      {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Forwarded-For": {"10.0.0.1"}}, 403, "ip_denied"},
		"a scope that is missing":           {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"10.0.0.1"}, "X-Required-Scopes": {"admin"}}, 403, "insufficient_scope"},
		"an address twice in headers":       {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"10.0.0.1", "10.0.0.1"}}, 401, "invalid"},
		"an address as both":                {update, "authorize", params{"client_ip": "10.0.0.1"}, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"10.0.0.1"}}, 401, "invalid"},
		"scopes as both":                    {update, "authorize", params{"scopes": "read"}, headers{"X-Api-Key": {bound}, "X-Required-Scopes": {"read"}}, 401, "invalid"},
		"scopes twice in headers":           {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Required-Scopes": {"read", "write"}}, 401, "invalid"},
		"an address that is none":           {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"CANARY"}}, 0, ""},
		"an empty address":                  {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {""}}, 0, ""},
		"empty scopes":                      {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Required-Scopes": {" , "}}, 0, ""},
		"scopes that are none":              {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Required-Scopes": {"a b"}}, 0, ""},
		"scopes in a query":                 {read, "authorize", params{"scopes": "read"}, headers{"X-Api-Key": {bound}}, 0, ""},
		"an address in a query":             {read, "authorize", params{"client_ip": "10.0.0.1"}, headers{"X-Api-Key": {bound}}, 0, ""},
		"no scopes, as a dash":              {read, "authorize", nil, headers{"X-Api-Key": {bound}, "X-Client-Ip": {"10.0.0.1"}, "X-Required-Scopes": {"-"}}, 200, "valid"},
		"what nobody knows":                 {update, "authorize", params{"key": text, "brief": true}, nil, 0, ""},
		"a batch":                           {update, "authorize", params{"batch_input": []any{params{"key": text}}}, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := sv.ask(t, tc.op, tc.path, tc.data, tc.headers)
			if err != nil {
				t.Fatal(err)
			}
			if tc.status == 0 {
				if !resp.IsError() || strings.Contains(resp.Error().Error(), "CANARY") {
					t.Errorf("it answers %v", resp.Data)
				}
				return
			}
			raw, _ := resp.Data[logical.HTTPRawBody].([]byte)
			var body map[string]string
			if resp.Data[logical.HTTPStatusCode] != tc.status || json.Unmarshal(raw, &body) != nil || len(body) != 1 || body["code"] != tc.code || strings.Count(string(raw), "\n") > 1 {
				t.Errorf("it answers %v with %q", resp.Data[logical.HTTPStatusCode], raw)
			}
			if got := resp.Headers["X-Apikey-Code"]; !slices.Equal(got, []string{tc.code}) {
				t.Errorf("the header says %q", got)
			}
			if named := resp.Headers["X-Apikey-Id"] != nil; named != (tc.code != "invalid") {
				t.Errorf("the headers are %v", resp.Headers)
			}
			if shown := fmt.Sprint(resp.Data, resp.Headers); strings.Contains(shown, text) || strings.Contains(shown, bound) {
				t.Error("it shows the key")
			}
		})
	}
}

func TestASpentLimitIsA403WithRetryAfter(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.RateLimit, r.RateLimitPeriod, r.AllowedScopes = 2, 3600, []string{"a", "b"} })
	if _, err := sv.ask(t, logical.UpdateOperation, "keys/"+key["key_id"].(string), params{"scopes": "a,b"}, nil); err != nil {
		t.Fatal(err)
	}
	ask := func(cost any) *logical.Response {
		return sv.must(t, logical.UpdateOperation, "authorize", params{"key": key["key"], "cost": cost})
	}
	good := ask(2.0)
	if good.Headers["Retry-After"] != nil || !slices.Equal(good.Headers["X-Apikey-Owner"], []string{"acme"}) || !slices.Equal(good.Headers["X-Apikey-Id"], []string{key["key_id"].(string)}) || !slices.Equal(good.Headers["X-Apikey-Scopes"], []string{"a,b"}) {
		t.Errorf("the headers are %v", good.Headers)
	}
	for cost, want := range map[any]string{1.0: "1800", 3.0: "0"} {
		resp := ask(cost)
		if resp.Data[logical.HTTPStatusCode] != http.StatusForbidden || !slices.Equal(resp.Headers["Retry-After"], []string{want}) || !slices.Equal(resp.Headers["X-Apikey-Code"], []string{"rate_limited"}) {
			t.Errorf("a cost of %v: %v, %v", cost, resp.Data[logical.HTTPStatusCode], resp.Headers)
		}
	}
	if got := ask(0.0).Data[logical.HTTPStatusCode]; got != http.StatusOK {
		t.Errorf("a cost of nothing: %v", got)
	}
}

func TestAuthorizeIsNeverWrapped(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	for _, text := range []any{key["key"], "no key"} {
		resp, err := sv.send(t, params{"key": text}, &logical.Request{
			Operation: logical.UpdateOperation, Path: "authorize", WrapInfo: &logical.RequestWrapInfo{TTL: time.Minute},
		})
		if err != nil || !resp.IsError() {
			t.Errorf("it is answered %v, %v", resp, err)
		}
	}
}
