package doors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	authorized = `{"code":"valid"}` + "\n"
	invalid    = `{"code":"invalid"}` + "\n"
)

func TestDoors(t *testing.T) {
	t.Parallel()
	const key = "\nX-API-Key: " + secret
	for name, tc := range map[string]struct {
		request, body string
		status        int
		answer        string // whole, or a part of one that ends with …
	}{
		"authorize":                             {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key, "", 200, authorized},
		"authorize by a write":                  {"POST /v1/team/apikeys/authorize/web HTTP/1.1", `{"key":"` + secret + `","scopes":["a"],"cost":2}`, 200, authorized},
		"authorize by a form":                   {"PUT /v1/team/apikeys/authorize/web HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `key=` + secret, 200, authorized},
		"authorize with a cost":                 {"GET /v1/team/apikeys/authorize/web?cost=0 HTTP/1.1" + key, "", 200, authorized},
		"no key":                                {"GET /v1/team/apikeys/authorize/web HTTP/1.1", "", 401, invalid},
		"an empty key":                          {"GET /v1/team/apikeys/authorize/web HTTP/1.1\nX-API-Key:", "", 401, invalid},
		"an empty key in a body":                {"POST /v1/team/apikeys/authorize/web HTTP/1.1", `{"key":""}`, 401, invalid},
		"two keys":                              {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + key, "", 401, invalid},
		"two keys in other letters":             {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nx-api-key: b", "", 401, invalid},
		"a key in both":                         {"POST /v1/team/apikeys/authorize/web HTTP/1.1" + key, `{"key":"k"}`, 401, invalid},
		"an address twice":                      {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Client-Ip: ::1\nX-Client-Ip: ::1", "", 401, invalid},
		"scopes in both":                        {"POST /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Required-Scopes: a", `{"scopes":["a"]}`, 401, invalid},
		"an address that is none":               {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Client-Ip: " + secret, "", 400, `{"errors":["client_ip must be one IP address"]}` + "\n"},
		"scopes of a variable that is not set":  {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Required-Scopes:", "", 400, `{"errors":["X-Required-Scopes has an empty entry…`},
		"scopes in a query":                     {"GET /v1/team/apikeys/authorize/web?scopes=a HTTP/1.1" + key, "", 400, `{"errors":["scopes in a query is refused, which loses what it cannot parse and lets a client add to it: send the header X-Required-Scopes, or a write"]}` + "\n"},
		"a key in a query":                      {"GET /v1/team/apikeys/authorize/web?key=" + secret + " HTTP/1.1" + key, "", 400, `{"errors":["a key in the URL's query stands in logs in clear…`},
		"a key in the query of a write":         {"POST /v1/team/apikeys/verify/web?key=" + secret + " HTTP/1.1", `{"key":"k"}`, 400, `{"errors":["a key in the URL's query stands in logs in clear…`},
		"a query that is broken":                {"GET /v1/team/apikeys/authorize/web?a;b=%zz HTTP/1.1" + key, "", 400, `{"errors":["the query cannot be read"]}` + "\n"},
		"brief at authorize":                    {"GET /v1/team/apikeys/authorize/web?brief=true HTTP/1.1" + key, "", 400, `{"errors":["unknown parameter \"brief\""]}` + "\n"},
		"what nobody knows":                     {"POST /v1/team/apikeys/authorize/web HTTP/1.1", `{"` + secret + `":1}`, 400, `{"errors":["unknown parameter (its name is no parameter's name, and is not shown)"]}` + "\n"},
		"JSON that curl calls a form":           {"POST /v1/team/apikeys/authorize/web HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", "\n {\"key\":\"" + secret + "\"}", 200, authorized},
		"JSON that is a list, called a form":    {"POST /v1/team/apikeys/authorize/web HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", "[1]", 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"a form that is broken":                 {"POST /v1/team/apikeys/authorize/web HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", "key=%zz", 400, `{"errors":["the body's form cannot be read"]}` + "\n"},
		"a role in the body and the path":       {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"k","role":"batch"}`, 400, `{"errors":["role stands in the path and, differently, in the data"]}` + "\n"},
		"a role in the body alone":              {"POST /v1/team/apikeys/verify HTTP/1.1", `{"key":"k","role":"batch"}`, 400, `{"errors":["unknown parameter \"role\""]}` + "\n"},
		"a role that is not of this gate":       {"GET /v1/team/apikeys/authorize/other HTTP/1.1" + key, "", 401, invalid},
		"to be wrapped":                         {"GET /v1/team/apikeys/authorize/web HTTP/1.1\nX-Vault-Wrap-TTL: 60" + key, "", 400, `{"errors":["an answer by the HTTP status cannot be wrapped: strip X-Vault-Wrap-TTL"]}` + "\n"},
		"to be wrapped, an empty header":        {"GET /v1/team/apikeys/verify/web HTTP/1.1\nX-Vault-Wrap-TTL:" + key, "", 400, `{"errors":["a gate wraps no answer…`},
		"another method":                        {"DELETE /v1/team/apikeys/authorize/web HTTP/1.1" + key, "", 405, `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}` + "\n"},
		"two cursors":                           {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Apikey-Min-Cursor: 1\nX-Apikey-Min-Cursor: 1", "", 400, `{"errors":["X-Apikey-Min-Cursor is no cursor…`},
		"an empty cursor":                       {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Apikey-Min-Cursor:", "", 400, `{"errors":["X-Apikey-Min-Cursor is no cursor…`},
		"verify by a write":                     {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"` + secret + `","brief":true}`, 200, `…"lease_id":"","renewable":false,"lease_duration":0,"data":{"code":"valid","http_status":200,"key_id":"X7pzDtTZaKwFMUsv","owner":"acme","valid":true},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"vault-plugin-secrets-apikeys"}` + "\n"},
		"verify by a read":                      {"GET /v1/team/apikeys/verify/web?brief=1&scopes=a,b HTTP/1.1" + key, "", 200, `…"data":{"code":"valid","http_status":200,…`},
		"verify without a key":                  {"GET /v1/team/apikeys/verify/web HTTP/1.1", "", 400, `{"errors":["no key in a header…`},
		"verify with two":                       {"GET /v1/team/apikeys/verify/web HTTP/1.1" + key + key, "", 400, `{"errors":["more than one key in headers"]}` + "\n"},
		"verify with an empty one":              {"GET /v1/team/apikeys/verify/web HTTP/1.1\nX-API-Key:", "", 400, `{"errors":["the key in the header is empty"]}` + "\n"},
		"verify of a write without a key":       {"POST /v1/team/apikeys/verify/web HTTP/1.1" + key, "", 400, `{"errors":["missing parameter \"key\""]}` + "\n"},
		"verify in body and header":             {"POST /v1/team/apikeys/verify/web HTTP/1.1\nX-API-Key: other", `{"key":"` + secret + `"}`, 200, `…"valid":true…`},
		"a batch":                               {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[{"key":"` + secret + `","brief":true},{},7]}`, 200, `…"data":{"batch_results":[{"valid":true,"code":"valid","http_status":200,"key_id":"X7pzDtTZaKwFMUsv","owner":"acme"},{"error":"missing parameter \"key\"","http_status":400},{"error":"a batch item must be an object","http_status":400}]},"wrap_info"…`},
		"a batch beside others":                 {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[{"key":"k"}],"key":"k"}`, 400, `{"errors":["batch_input must not stand beside other parameters"]}` + "\n"},
		"a batch of none":                       {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[]}`, 400, `{"errors":["batch_input must have 1 to 1000 items"]}` + "\n"},
		"a batch to be read":                    {"GET /v1/team/apikeys/verify/web?batch_input=x HTTP/1.1" + key, "", 400, `{"errors":["unknown parameter \"batch_input\""]}` + "\n"},
		"JSON that is broken":                   {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"` + secret, 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"JSON that is no object":                {"POST /v1/team/apikeys/verify/web HTTP/1.1", `["` + secret + `"]`, 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"JSON with more after it":               {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"k"}{}`, 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"JSON with a name twice":                {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"scopes":["admin"],"key":"k","scopes":[]}`, 400, `{"errors":["a name stands in the body twice"]}` + "\n"},
		"JSON with a name twice, in a batch":    {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[{"key":"k","key":"l"}]}`, 400, `{"errors":["a name stands in the body twice"]}` + "\n"},
		"JSON that is deep":                     {"POST /v1/team/apikeys/verify/web HTTP/1.1", strings.Repeat(`{"a":`, 9), 400, `{"errors":["the body is nested too deeply"]}` + "\n"},
		"an empty role":                         {"GET /v1/team/apikeys/authorize/ HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"a role with a slash":                   {"GET /v1/team/apikeys/authorize/web%2Fx HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"another path of Vault":                 {"POST /v1/team/apikeys/issue/web HTTP/1.1", `{}`, 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"another mount":                         {"GET /v1/apikeys/authorize/web HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"a path with dots":                      {"GET /v1/team/../team/apikeys/authorize/web HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"the root":                              {"GET / HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"all of a server":                       {"OPTIONS * HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"forward":                               {"GET /forward/web HTTP/1.1" + key, "", 200, authorized},
		"forward of any method":                 {"PROPFIND /forward/web HTTP/1.1" + key, `{"key":"other"}`, 200, authorized},
		"forward without a key":                 {"GET /forward/web HTTP/1.1", "", 401, invalid},
		"forward with a key in a body":          {"POST /forward/web HTTP/1.1", `{"key":"` + secret + `"}`, 401, invalid},
		"forward with a key in its query":       {"GET /forward/web?key=" + secret + " HTTP/1.1" + key, "", 400, `{"error":"a key in the URL's query stands in logs in clear…`},
		"forward with a key behind a semicolon": {"GET /forward/web?a=1;key=" + secret + " HTTP/1.1" + key, "", 400, `{"error":"a key in the URL's query stands in logs in clear…`},
		"forward with a key and a semicolon":    {"GET /forward/web?a=%zz&%6Bey=" + secret + ";b HTTP/1.1" + key, "", 400, `{"error":"a key in the URL's query stands in logs in clear…`},
		"forward with a query that is broken":   {"GET /forward/web?a;b=%zz&monkey=1 HTTP/1.1" + key, "", 200, authorized},
		"forward with a client's query":         {"GET /forward/web/login?key=1 HTTP/1.1" + key, "", 200, authorized},
		"forward to be wrapped":                 {"GET /forward/web HTTP/1.1\nX-Vault-Wrap-TTL: 60" + key, "", 400, `{"error":"an answer by the HTTP status cannot be wrapped: strip X-Vault-Wrap-TTL"}` + "\n"},
		"forward with an address that is none":  {"GET /forward/web HTTP/1.1" + key + "\nX-Client-Ip: a", "", 400, `{"error":"client_ip must be one IP address"}` + "\n"},
		"envoy":                                 {"GET /ext-authz/web/orders HTTP/1.1" + key, "", 200, authorized},
		"envoy with whatever is below":          {"DELETE /ext-authz/web//a/../../x/%2e%2e/%2F;b=c?key=1&&;%zz HTTP/1.1" + key, "", 200, authorized},
		"envoy with another role above":         {"GET /ext-authz/other/../web/ HTTP/1.1" + key, "", 401, invalid},
		"envoy with an encoded role":            {"GET /ext-authz/%77eb/x HTTP/1.1" + key, "", 200, authorized},
		"envoy with an encoded slash":           {"GET /ext-authz/web%2Fx HTTP/1.1" + key, "", 401, invalid},
		"envoy without a role":                  {"GET /ext-authz//web HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"envoy to a tunnel":                     {"CONNECT /ext-authz/web/x HTTP/1.1" + key, "", 200, authorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(good, nil)
			w := h.send(t, Caller{}, tc.request, tc.body)
			got, want, matches := w.Body.String(), tc.answer, false
			head, tail := strings.HasPrefix(want, "…"), strings.HasSuffix(want, "…")
			switch want = strings.Trim(want, "…"); {
			case head:
				matches = strings.Contains(got, want) && (tail || strings.HasSuffix(got, want))
			default:
				matches = strings.HasPrefix(got, want) && (tail || got == want)
			}
			if w.Code != tc.status || !matches {
				t.Errorf("it answers %d with %s", w.Code, got)
			}
			if all := fmt.Sprint(w.Result().Header, got, h.log); strings.Contains(all, "CANARY") {
				t.Errorf("it shows what was sent: %s", all)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("its headers are %v", w.Header())
			}
			if len(h.noted.decided)+len(h.noted.failed) == 0 {
				t.Error("nobody was told")
			}
			for _, q := range h.decider.asked {
				if !q.Key.None() && q.Key.Reveal() != secret || !slices.Contains([]string{"web", "batch"}, q.Role) {
					t.Errorf("it was asked about %q of role %q", q.Key.Reveal(), q.Role)
				}
			}
		})
	}
}
