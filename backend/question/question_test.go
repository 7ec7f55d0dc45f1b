package question

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

func TestWhatHeadersStandFor(t *testing.T) {
	t.Parallel()
	type headers = map[string][]string
	for name, tc := range map[string]struct {
		in      map[string]any
		headers headers
		ok      bool
		says    string
	}{
		"a key":                        {nil, headers{"X-API-Key": {"k"}}, true, ""},
		"a key as a parameter":         {map[string]any{"key": apikey.Present("k")}, nil, true, ""},
		"no key":                       {nil, nil, false, ""},
		"an empty key":                 {nil, headers{"X-API-Key": {""}}, false, ""},
		"two keys":                     {nil, headers{"X-API-Key": {"k", "k"}}, false, ""},
		"a key as both":                {map[string]any{"key": apikey.Present("k")}, headers{"X-API-Key": {"k"}}, false, ""},
		"scopes as both":               {map[string]any{"scopes": []string{}}, headers{"X-API-Key": {"k"}, "X-Required-Scopes": {"a"}}, false, ""},
		"an address twice":             {nil, headers{"X-API-Key": {"k"}, "X-Client-Ip": {"::1", "::1"}}, false, ""},
		"all three":                    {nil, headers{"X-API-Key": {"k"}, "X-Required-Scopes": {"a,b"}, "X-Client-Ip": {"::1"}}, true, ""},
		"an empty address":             {nil, headers{"X-API-Key": {"k"}, "X-Client-Ip": {""}}, false, "X-Client-Ip must not be empty"},
		"scopes of a variable that is": {nil, headers{"X-API-Key": {"k"}, "X-Required-Scopes": {""}}, false, "X-Required-Scopes has an empty entry"},
	} {
		in := tc.in
		if in == nil {
			in = map[string]any{}
		}
		ok, err := Merge(in, func(header string) []string { return tc.headers[header] })
		if ok != tc.ok || (err == nil) != (tc.says == "") || err != nil && !strings.HasPrefix(err.Error(), tc.says) {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
	}
}

func TestAQuestionIsWhatWasSent(t *testing.T) {
	t.Parallel()
	in := map[string]any{"scopes": []string{"a", "b"}, "client_ip": "10.0.0.1", "cost": int64(0), "brief": true}
	q, err := Of(in, apikey.Present("k"), "web")
	if err != nil || q.Key.Reveal() != "k" || q.Role != "web" || !slices.Equal(q.Scopes, []string{"a", "b"}) || !q.ScopesNamed || q.ClientIP != netip.MustParseAddr("10.0.0.1") || q.Cost != 0 || !q.Brief {
		t.Errorf("it is %+v, %v", q, err)
	}
	q, err = Of(map[string]any{"scopes": []string{"-"}}, apikey.Presented{}, "")
	if err != nil || q.Scopes != nil || !q.ScopesNamed || q.Cost != 1 || q.ClientIP.IsValid() {
		t.Errorf("with no scopes by name it is %+v, %v", q, err)
	}
	for _, in := range []map[string]any{{"scopes": []string{"a b"}}, {"client_ip": "10.0.0.1:80"}} {
		if _, err := Of(in, apikey.Present("k"), ""); !errors.As(err, new(record.Mistake)) {
			t.Errorf("%v: %v", in, err)
		}
	}
}

// FuzzHeaders holds what a client may put into headers to no panic, to mistakes that
// show none of it, and to scopes and an address that are what they must be.
func FuzzHeaders(f *testing.F) {
	f.Add("vak_x", "read:*,write", "10.0.0.1")
	f.Add("", " , ", "::ffff:10.0.0.1%eth0")
	f.Fuzz(func(t *testing.T, key, scopes, address string) {
		in := map[string]any{}
		ok, err := Merge(in, func(header string) []string {
			return map[string][]string{"X-API-Key": {key}, "X-Required-Scopes": {scopes}, "X-Client-Ip": {address}}[header]
		})
		if ok == (key == "" || err != nil) {
			t.Fatalf("%t, %v", ok, err)
		}
		var q Question
		if err == nil && ok {
			presented, _ := in["key"].(apikey.Presented)
			q, err = Of(in, presented, "")
		}
		if err == nil {
			if ok && (q.Key.Reveal() != key || !q.ClientIP.IsValid() || len(q.Scopes) > 0 && record.CheckScopes("scopes", q.Scopes) != nil) {
				t.Errorf("%+v", q)
			}
			return
		}
		if !errors.As(err, new(record.Mistake)) {
			t.Errorf("%v is no mistake", err)
		}
		for _, sent := range []string{scopes, address} {
			if len(sent) > 40 && strings.Contains(err.Error(), sent) {
				t.Error("the mistake shows what was sent")
			}
		}
	})
}
