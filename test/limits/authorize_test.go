package limits

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// authorize asks by read with headers, or by write with a body.
func (e engine) authorize(t *testing.T, path string, body any, headers ...string) harness.Response {
	t.Helper()
	method := "POST"
	if body == nil {
		method = "GET"
	}
	return e.API(t, method, e.Mount+"/"+path, body, headers...)
}

// wantAuthorized checks status, body and headers.
func wantAuthorized(t *testing.T, what string, r harness.Response, status int, code string) {
	t.Helper()
	if r.Status != status || r.Header.Get("X-Apikey-Code") != code {
		t.Errorf("%s: %d with the code %q, wanted %d with %q: %s", what, r.Status, r.Header.Get("X-Apikey-Code"), status, code, r.Raw)
	}
	if got := string(r.Raw); got != fmt.Sprintf("{\"code\":%q}\n", code) {
		t.Errorf("%s: the body is %q", what, got)
	}
	if code == "invalid" {
		for _, name := range []string{"X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Scopes", "Retry-After"} {
			if r.Header.Values(name) != nil {
				t.Errorf("%s: an unproven key is answered with the header %s", what, name)
			}
		}
	}
}

func keyHeader(k key) string { return "X-API-Key: " + k.Text }

func TestAGoodKeyOfManyScopesFitsIntoAGatewaysBuffer(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	var scopes []string
	for i := range 128 {
		scopes = append(scopes, fmt.Sprintf("%0100d", i))
	}
	k := e.issue(t, fields{"owner": strings.Repeat("o", 128), "scopes": scopes})
	r := e.authorize(t, "authorize", nil, keyHeader(k), "X-Required-Scopes: "+scopes[127])
	wantAuthorized(t, "many scopes", r, 200, "valid")
	length := 0
	for name, values := range r.Header {
		for _, value := range values {
			length += len(name) + len(value) + 4
		}
	}
	if length > 3<<10 || r.Header.Get("X-Apikey-Scopes") != "" || r.Header.Get("X-Apikey-Scopes-Omitted") != "true" || len(r.Header.Get("X-Apikey-Owner")) != 128 {
		t.Errorf("the headers are of %d bytes: %.2000v", length, r.Header)
	}
}

func TestAuthorizeAnswersByStatusAndHeaders(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"owner": "acme", "scopes": []string{"read:*", "write"}, "bound_cidrs": []string{"10.0.0.0/8"}})
	within := "X-Client-Ip: 10.0.0.1"
	for what, r := range map[string]harness.Response{
		"a read":                 e.authorize(t, "authorize", nil, keyHeader(k), within),
		"a write with a header":  e.authorize(t, "authorize", fields{}, keyHeader(k), within),
		"a write with a body":    e.authorize(t, "authorize", fields{"key": k.Text, "client_ip": "10.0.0.1"}),
		"parameters in the body": e.authorize(t, "authorize", fields{"client_ip": "10.0.0.1", "scopes": []string{"read:users", "write"}}, keyHeader(k)),
		"no scopes by header":    e.authorize(t, "authorize", nil, keyHeader(k), within, "X-Required-Scopes: -"),
		"scopes by header":       e.authorize(t, "authorize", nil, keyHeader(k), within, "X-Required-Scopes: read:users,write"),
		"scopes in the body":     e.authorize(t, "authorize", fields{"scopes": []string{"write"}}, keyHeader(k), within),
		"its role":               e.authorize(t, "authorize/"+e.web, nil, keyHeader(k), within),
		"its role, with a write": e.authorize(t, "authorize/"+e.web, fields{"key": k.Text}, within),
	} {
		wantAuthorized(t, what, r, 200, "valid")
		for name, value := range map[string]string{"X-Apikey-Id": k.ID, "X-Apikey-Owner": "acme", "X-Apikey-Scopes": "read:*,write", "Content-Type": "application/json"} {
			if r.Header.Get(name) != value {
				t.Errorf("%s: %s is %q, wanted %q", what, name, r.Header.Get(name), value)
			}
		}
		if r.Header.Values("Retry-After") != nil {
			t.Errorf("%s: Retry-After is %q", what, r.Header.Get("Retry-After"))
		}
	}
	wantAuthorized(t, "no address", e.authorize(t, "authorize", nil, keyHeader(k)), 403, "ip_denied")
	wantAuthorized(t, "outside", e.authorize(t, "authorize", nil, keyHeader(k), "X-Client-Ip: 192.0.2.1"), 403, "ip_denied")
	r := e.authorize(t, "authorize", nil, keyHeader(k), within, "X-Required-Scopes: delete")
	wantAuthorized(t, "a scope that it lacks", r, 403, "insufficient_scope")
	if r.Header.Get("X-Apikey-Id") != k.ID {
		t.Errorf("a proven key is refused without its id: %v", r.Header)
	}
	e.change(t, k, fields{"disabled": true})
	wantAuthorized(t, "disabled", e.authorize(t, "authorize", nil, keyHeader(k), within), 403, "disabled")
	e.Write(t, "revoke/"+k.ID, nil)
	wantAuthorized(t, "revoked", e.authorize(t, "authorize", nil, keyHeader(k), within), 401, "revoked")
}

func TestAuthorizeAnswersASpentLimitWith403(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	rate := e.issue(t, fields{"rate_limit": 1, "rate_limit_period": "4000s"})
	quota := e.issue(t, fields{"quota": 1, "quota_period": "4000s"})
	forLife := e.issue(t, fields{"quota": 1})
	for _, c := range []struct {
		k         key
		code      string
		low, high int
	}{{rate, "rate_limited", 3900, 4000}, {quota, "quota_exceeded", 3900, 4000}, {forLife, "quota_exceeded", 0, 0}} {
		wantAuthorized(t, "a cost of nothing", e.authorize(t, "authorize?cost=0", nil, keyHeader(c.k)), 200, "valid")
		wantAuthorized(t, "the first", e.authorize(t, "authorize", nil, keyHeader(c.k)), 200, "valid")
		r := e.authorize(t, "authorize", nil, keyHeader(c.k))
		wantAuthorized(t, "the second", r, 403, c.code)
		var wait int
		if _, err := fmt.Sscanf(r.Header.Get("Retry-After"), "%d", &wait); err != nil || wait < c.low || wait > c.high {
			t.Errorf("%s: Retry-After is %q", c.code, r.Header.Get("Retry-After"))
		}
		wantAuthorized(t, "a write", e.authorize(t, "authorize", fields{"key": c.k.Text, "cost": 2}), 403, c.code)
	}
}

func TestWhateverAuthorizeCannotProveIsAnsweredInTheSameBytes(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRoleNamed(t, e.web+"-other", nil)
	k, other := e.issue(t, fields{"quota": 5}), e.issueOf(t, e.web+"-other", nil)
	gone := e.issue(t, nil)
	e.Want(t, 204, "DELETE", "keys/"+gone.ID, nil)
	good := keyHeader(k)
	var headers http.Header
	for what, r := range map[string]harness.Response{
		"no key":                           e.authorize(t, "authorize", nil),
		"no key in a write":                e.authorize(t, "authorize", fields{}),
		"an empty key":                     e.authorize(t, "authorize", nil, "X-API-Key: "),
		"an empty key in a write":          e.authorize(t, "authorize", fields{"key": ""}),
		"an empty key beside one":          e.authorize(t, "authorize", fields{"key": ""}, good),
		"an empty header beside a key":     e.authorize(t, "authorize", fields{"key": k.Text}, "X-API-Key: "),
		"two keys":                         e.authorize(t, "authorize", nil, good, keyHeader(other)),
		"the same key twice":               e.authorize(t, "authorize", nil, good, good),
		"a key in header and body":         e.authorize(t, "authorize", fields{"key": k.Text}, good),
		"scopes as parameter and header":   e.authorize(t, "authorize", fields{"scopes": "read"}, good, "X-Required-Scopes: read"),
		"an address as both":               e.authorize(t, "authorize", fields{"client_ip": "10.0.0.1"}, good, "X-Client-Ip: 10.0.0.1"),
		"the scopes' header twice":         e.authorize(t, "authorize", nil, good, "X-Required-Scopes: read", "X-Required-Scopes: write"),
		"the address's header twice":       e.authorize(t, "authorize", nil, good, "X-Client-Ip: 10.0.0.1", "X-Client-Ip: 10.0.0.1"),
		"nonsense":                         e.authorize(t, "authorize", nil, "X-API-Key: nonsense"),
		"a key that is gone":               e.authorize(t, "authorize", nil, keyHeader(gone)),
		"a longer key":                     e.authorize(t, "authorize", nil, good+"0"),
		"a key with another scheme":        e.authorize(t, "authorize", nil, "X-API-Key: Bearer "+k.Text),
		"two keys in one header":           e.authorize(t, "authorize", nil, good+","+other.Text),
		"a very long key":                  e.authorize(t, "authorize", nil, "X-API-Key: "+strings.Repeat("a", 5000)),
		"another role's key":               e.authorize(t, "authorize/"+e.web, nil, keyHeader(other)),
		"another role's key, with a write": e.authorize(t, "authorize/"+e.web, fields{"key": other.Text}),
		"a role that is not there":         e.authorize(t, "authorize/no-such-role", nil, good),
	} {
		wantAuthorized(t, what, r, 401, "invalid")
		r.Header.Del("Date")
		if headers == nil {
			headers = r.Header
		}
		for name := range r.Header {
			if !slices.Equal(r.Header[name], headers[name]) || len(r.Header) != len(headers) {
				t.Errorf("%s: the headers are %v, elsewhere %v", what, r.Header, headers)
				break
			}
		}
	}
	surface.WantFields(t, "after refusals", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 5})
}

func TestOtherMistakesOfAuthorizeAre400(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	k := e.issue(t, fields{"quota": 5})
	good := keyHeader(k)
	for what, r := range map[string]harness.Response{
		"an address that is none":       e.authorize(t, "authorize", nil, good, "X-Client-Ip: unknown"),
		"two addresses in one header":   e.authorize(t, "authorize", nil, good, "X-Client-Ip: 10.0.0.1, 10.0.0.2"),
		"an empty address":              e.authorize(t, "authorize", nil, good, "X-Client-Ip: "),
		"an empty address by query":     e.authorize(t, "authorize?client_ip=", nil, good),
		"an address of an unproven key": e.authorize(t, "authorize?client_ip=x", nil, "X-API-Key: nonsense"),
		"scopes that are none":          e.authorize(t, "authorize", nil, good, "X-Required-Scopes: a b"),
		"empty scopes":                  e.authorize(t, "authorize", nil, good, "X-Required-Scopes: "),
		"empty scopes by query":         e.authorize(t, "authorize?scopes=", nil, good),
		"scopes by query":               e.authorize(t, "authorize?scopes=read", nil, good, "X-Required-Scopes: read"),
		"no scopes by query":            e.authorize(t, "authorize?scopes=-", nil, good),
		"an address by query":           e.authorize(t, "authorize?client_ip=10.0.0.1", nil, good),
		"an empty scope":                e.authorize(t, "authorize", fields{"scopes": []string{""}}, good),
		"a key in the query":            e.authorize(t, "authorize?key="+k.Text, nil),
		"a key in query and header":     e.authorize(t, "authorize?key="+k.Text, nil, good),
		"an unknown parameter":          e.authorize(t, "authorize", fields{"colour": "red"}, good),
		"brief":                         e.authorize(t, "authorize", fields{"brief": true}, good),
		"a key that is no text":         e.authorize(t, "authorize", fields{"key": 7}),
		"a list of keys":                e.authorize(t, "authorize", fields{"key": []string{k.Text}}),
	} {
		if r.Status != http.StatusBadRequest || strings.Contains(string(r.Raw), k.Text) {
			t.Errorf("%s: %d: %s", what, r.Status, r.Raw)
		}
	}
	surface.WantFields(t, "after mistakes", e.Read(t, "keys/"+k.ID), fields{"quota_remaining": 5})
}

// TestARestrictionThatVaultLostIsNotTakenForNone sends what Vault drops before the engine sees it.
func TestARestrictionThatVaultLostIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.setRole(t, fields{"require_scopes": true})
	k := e.issue(t, fields{"scopes": []string{"read:x"}})
	deaf := e.MountNew(t, harness.Mount{RequestHeaders: []string{"X-API-Key"}}) // passes no scopes on
	e.Expect(t, 200, "POST", deaf+"/roles/web", fields{"generate_lease": false, "require_scopes": true})
	unheard := e.Expect(t, 200, "POST", deaf+"/issue/web", nil).Data()["key"]
	good := keyHeader(k)
	for what, r := range map[string]harness.Response{
		"a semicolon":                    e.authorize(t, "authorize/"+e.web+"?scopes=delete;", nil, good),
		"a bad escape":                   e.authorize(t, "authorize/"+e.web+"?scopes=delete%zz", nil, good),
		"a semicolon, and a client's":    e.authorize(t, "authorize/"+e.web+"?scopes=delete;&scopes=read:x", nil, good),
		"the query of a write":           e.authorize(t, "authorize/"+e.web+"?scopes=delete", fields{}, good),
		"a header that is not passed on": e.API(t, "GET", deaf+"/authorize/web", nil, fmt.Sprintf("X-API-Key: %s", unheard), "X-Required-Scopes: delete"),
		"verify, the query of a write":   e.authorize(t, "verify?scopes=delete", fields{"key": k.Text}),
		"verify by read, a semicolon":    e.authorize(t, "verify?scopes=delete;", nil, good),
		"verify by read, a client's":     e.authorize(t, "verify?scopes=delete;&scopes=read:x", nil, good),
	} {
		if r.Status != http.StatusBadRequest {
			t.Errorf("%s: %d: %s", what, r.Status, r.Raw)
		}
	}
	for scopes, code := range map[string]string{"-": "valid", "read:x": "valid", "delete": "insufficient_scope"} {
		if r := e.authorize(t, "authorize/"+e.web, nil, good, "X-Required-Scopes: "+scopes); r.Header.Get("X-Apikey-Code") != code {
			t.Errorf("%s in the header: %d %s", scopes, r.Status, r.Raw)
		}
	}
}
