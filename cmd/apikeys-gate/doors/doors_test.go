package doors

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// secret is a key's text that no answer may show.
const secret = "vak_CANARY7"

// scripted answers as it is told, and keeps what it was asked.
type scripted struct {
	mu     sync.Mutex
	asked  []edge.Question
	answer edge.Answer
	err    error
}

func (s *scripted) Verify(_ context.Context, q edge.Question) (edge.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, q)
	answer := s.answer
	if s.err == nil && q.Key.None() {
		answer = edge.Answer{Decision: verify.Decision{Code: verify.Invalid}}
	}
	return answer, s.err
}

// noted keeps what the observer was told.
type noted struct {
	mu      sync.Mutex
	decided []Decided
	failed  []string
}

func (n *noted) Decided(d Decided) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.decided = append(n.decided, d)
}

func (n *noted) Failed(door, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = append(n.failed, door+": "+why)
}

var good = verify.Decision{Code: verify.Valid, Description: verify.Description{
	Key: record.Key{ID: "X7pzDtTZaKwFMUsv", Role: "web", Owner: "acme"}, Version: record.Version{Number: 1}, Scopes: []string{"read", "write"},
}}

func with(change func(d *verify.Decision)) verify.Decision {
	d := good
	change(&d)
	return d
}

type house struct {
	*Doors
	decider *scripted
	noted   *noted
	log     *bytes.Buffer
}

func open(d verify.Decision, err error) house {
	h := house{decider: &scripted{answer: edge.Answer{Decision: d}, err: err}, noted: new(noted), log: new(bytes.Buffer)}
	h.Doors = New("team/apikeys", h.decider, h.noted, Settings{Roles: []string{"web", "batch"}, KeyHeaders: []config.KeyHeader{config.APIKey}}, hclog.New(&hclog.LoggerOptions{Output: h.log}))
	return h
}

// send sends a request as it stands on the wire.
func (h house) send(t *testing.T, caller Caller, request, body string) *httptest.ResponseRecorder {
	t.Helper()
	text := strings.ReplaceAll(request, "\n", "\r\n") + "\r\nHost: gate\r\n"
	if body != "" {
		text += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n" + body)))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.Handler(func() Caller { return caller }).ServeHTTP(w, r)
	return w
}

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
		"authorize":                            {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key, "", 200, authorized},
		"authorize by a write":                 {"POST /v1/team/apikeys/authorize/web HTTP/1.1", `{"key":"` + secret + `","scopes":["a"],"cost":2}`, 200, authorized},
		"authorize by a form":                  {"PUT /v1/team/apikeys/authorize/web HTTP/1.1\nContent-Type: application/x-www-form-urlencoded", `key=` + secret, 200, authorized},
		"authorize with a cost":                {"GET /v1/team/apikeys/authorize/web?cost=0 HTTP/1.1" + key, "", 200, authorized},
		"no key":                               {"GET /v1/team/apikeys/authorize/web HTTP/1.1", "", 401, invalid},
		"an empty key":                         {"GET /v1/team/apikeys/authorize/web HTTP/1.1\nX-API-Key:", "", 401, invalid},
		"an empty key in a body":               {"POST /v1/team/apikeys/authorize/web HTTP/1.1", `{"key":""}`, 401, invalid},
		"two keys":                             {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + key, "", 401, invalid},
		"two keys in other letters":            {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nx-api-key: b", "", 401, invalid},
		"a key in both":                        {"POST /v1/team/apikeys/authorize/web HTTP/1.1" + key, `{"key":"k"}`, 401, invalid},
		"an address twice":                     {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Client-Ip: ::1\nX-Client-Ip: ::1", "", 401, invalid},
		"scopes in both":                       {"POST /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Required-Scopes: a", `{"scopes":["a"]}`, 401, invalid},
		"an address that is none":              {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Client-Ip: " + secret, "", 400, `{"errors":["client_ip must be one IP address"]}` + "\n"},
		"scopes of a variable that is not set": {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Required-Scopes:", "", 400, `{"errors":["X-Required-Scopes has an empty entry…`},
		"scopes in a query":                    {"GET /v1/team/apikeys/authorize/web?scopes=a HTTP/1.1" + key, "", 400, `{"errors":["scopes in a query is refused, which loses what it cannot parse and lets a client add to it: send the header X-Required-Scopes, or a write"]}` + "\n"},
		"a key in a query":                     {"GET /v1/team/apikeys/authorize/web?key=" + secret + " HTTP/1.1" + key, "", 400, `{"errors":["a key in the URL's query stands in logs in clear…`},
		"a key in the query of a write":        {"POST /v1/team/apikeys/verify/web?key=" + secret + " HTTP/1.1", `{"key":"k"}`, 400, `{"errors":["a key in the URL's query stands in logs in clear…`},
		"a query that is broken":               {"GET /v1/team/apikeys/authorize/web?a;b=%zz HTTP/1.1" + key, "", 400, `{"errors":["the query cannot be read"]}` + "\n"},
		"brief at authorize":                   {"GET /v1/team/apikeys/authorize/web?brief=true HTTP/1.1" + key, "", 400, `{"errors":["unknown parameter \"brief\""]}` + "\n"},
		"what nobody knows":                    {"POST /v1/team/apikeys/authorize/web HTTP/1.1", `{"` + secret + `":1}`, 400, `{"errors":["unknown parameter (its name is no parameter's name, and is not shown)"]}` + "\n"},
		"a role in the body and the path":      {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"k","role":"batch"}`, 400, `{"errors":["role stands in the path and, differently, in the data"]}` + "\n"},
		"a role in the body alone":             {"POST /v1/team/apikeys/verify HTTP/1.1", `{"key":"k","role":"batch"}`, 400, `{"errors":["unknown parameter \"role\""]}` + "\n"},
		"a role that is not of this gate":      {"GET /v1/team/apikeys/authorize/other HTTP/1.1" + key, "", 401, invalid},
		"to be wrapped":                        {"GET /v1/team/apikeys/authorize/web HTTP/1.1\nX-Vault-Wrap-TTL: 60" + key, "", 400, `{"errors":["an answer by the HTTP status cannot be wrapped: strip X-Vault-Wrap-TTL"]}` + "\n"},
		"to be wrapped, an empty header":       {"GET /v1/team/apikeys/verify/web HTTP/1.1\nX-Vault-Wrap-TTL:" + key, "", 400, `{"errors":["a gate wraps no answer…`},
		"another method":                       {"DELETE /v1/team/apikeys/authorize/web HTTP/1.1" + key, "", 405, `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}` + "\n"},
		"two cursors":                          {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Apikey-Min-Cursor: 1\nX-Apikey-Min-Cursor: 1", "", 400, `{"errors":["X-Apikey-Min-Cursor is no cursor…`},
		"an empty cursor":                      {"GET /v1/team/apikeys/authorize/web HTTP/1.1" + key + "\nX-Apikey-Min-Cursor:", "", 400, `{"errors":["X-Apikey-Min-Cursor is no cursor…`},
		"verify by a write":                    {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"` + secret + `","brief":true}`, 200, `…"lease_id":"","renewable":false,"lease_duration":0,"data":{"code":"valid","http_status":200,"key_id":"X7pzDtTZaKwFMUsv","owner":"acme","valid":true},"wrap_info":null,"warnings":null,"auth":null,"mount_type":"vault-plugin-secrets-apikeys"}` + "\n"},
		"verify by a read":                     {"GET /v1/team/apikeys/verify/web?brief=1&scopes=a,b HTTP/1.1" + key, "", 200, `…"data":{"code":"valid","http_status":200,…`},
		"verify without a key":                 {"GET /v1/team/apikeys/verify/web HTTP/1.1", "", 400, `{"errors":["no key in a header…`},
		"verify with two":                      {"GET /v1/team/apikeys/verify/web HTTP/1.1" + key + key, "", 400, `{"errors":["more than one key in headers"]}` + "\n"},
		"verify with an empty one":             {"GET /v1/team/apikeys/verify/web HTTP/1.1\nX-API-Key:", "", 400, `{"errors":["the key in the header is empty"]}` + "\n"},
		"verify of a write without a key":      {"POST /v1/team/apikeys/verify/web HTTP/1.1" + key, "", 400, `{"errors":["missing parameter \"key\""]}` + "\n"},
		"verify in body and header":            {"POST /v1/team/apikeys/verify/web HTTP/1.1\nX-API-Key: other", `{"key":"` + secret + `"}`, 200, `…"valid":true…`},
		"a batch":                              {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[{"key":"` + secret + `","brief":true},{},7]}`, 200, `…"data":{"batch_results":[{"valid":true,"code":"valid","http_status":200,"key_id":"X7pzDtTZaKwFMUsv","owner":"acme"},{"error":"missing parameter \"key\"","http_status":400},{"error":"a batch item must be an object","http_status":400}]},"wrap_info"…`},
		"a batch beside others":                {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[{"key":"k"}],"key":"k"}`, 400, `{"errors":["batch_input must not stand beside other parameters"]}` + "\n"},
		"a batch of none":                      {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[]}`, 400, `{"errors":["batch_input must have 1 to 1000 items"]}` + "\n"},
		"a batch to be read":                   {"GET /v1/team/apikeys/verify/web?batch_input=x HTTP/1.1" + key, "", 400, `{"errors":["unknown parameter \"batch_input\""]}` + "\n"},
		"JSON that is broken":                  {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"` + secret, 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"JSON that is no object":               {"POST /v1/team/apikeys/verify/web HTTP/1.1", `["` + secret + `"]`, 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"JSON with more after it":              {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"k"}{}`, 400, `{"errors":["the body is no JSON object"]}` + "\n"},
		"JSON with a name twice":               {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"scopes":["admin"],"key":"k","scopes":[]}`, 400, `{"errors":["a name stands in the body twice"]}` + "\n"},
		"JSON with a name twice, in a batch":   {"POST /v1/team/apikeys/verify/web HTTP/1.1", `{"batch_input":[{"key":"k","key":"l"}]}`, 400, `{"errors":["a name stands in the body twice"]}` + "\n"},
		"JSON that is deep":                    {"POST /v1/team/apikeys/verify/web HTTP/1.1", strings.Repeat(`{"a":`, 9), 400, `{"errors":["the body is nested too deeply"]}` + "\n"},
		"an empty role":                        {"GET /v1/team/apikeys/authorize/ HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"a role with a slash":                  {"GET /v1/team/apikeys/authorize/web%2Fx HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"another path of Vault":                {"POST /v1/team/apikeys/issue/web HTTP/1.1", `{}`, 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"another mount":                        {"GET /v1/apikeys/authorize/web HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"a path with dots":                     {"GET /v1/team/../team/apikeys/authorize/web HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"the root":                             {"GET / HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"all of a server":                      {"OPTIONS * HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"forward":                              {"GET /forward/web HTTP/1.1" + key, "", 200, authorized},
		"forward of any method":                {"PROPFIND /forward/web HTTP/1.1" + key, `{"key":"other"}`, 200, authorized},
		"forward without a key":                {"GET /forward/web HTTP/1.1", "", 401, invalid},
		"forward with a key in a body":         {"POST /forward/web HTTP/1.1", `{"key":"` + secret + `"}`, 401, invalid},
		"forward with a key in its query":      {"GET /forward/web?key=" + secret + " HTTP/1.1" + key, "", 400, `{"error":"a key in the URL's query stands in logs in clear…`},
		"forward with a client's query":        {"GET /forward/web/login?key=1 HTTP/1.1" + key, "", 200, authorized},
		"forward to be wrapped":                {"GET /forward/web HTTP/1.1\nX-Vault-Wrap-TTL: 60" + key, "", 400, `{"error":"an answer by the HTTP status cannot be wrapped: strip X-Vault-Wrap-TTL"}` + "\n"},
		"forward with an address that is none": {"GET /forward/web HTTP/1.1" + key + "\nX-Client-Ip: a", "", 400, `{"error":"client_ip must be one IP address"}` + "\n"},
		"envoy":                                {"GET /ext-authz/web/orders HTTP/1.1" + key, "", 200, authorized},
		"envoy with whatever is below":         {"DELETE /ext-authz/web//a/../../x/%2e%2e/%2F;b=c?key=1&&;%zz HTTP/1.1" + key, "", 200, authorized},
		"envoy with another role above":        {"GET /ext-authz/other/../web/ HTTP/1.1" + key, "", 401, invalid},
		"envoy with an encoded role":           {"GET /ext-authz/%77eb/x HTTP/1.1" + key, "", 200, authorized},
		"envoy with an encoded slash":          {"GET /ext-authz/web%2Fx HTTP/1.1" + key, "", 401, invalid},
		"envoy without a role":                 {"GET /ext-authz//web HTTP/1.1" + key, "", 404, `{"errors":["there is no door at this path"]}` + "\n"},
		"envoy to a tunnel":                    {"CONNECT /ext-authz/web/x HTTP/1.1" + key, "", 200, authorized},
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

func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	h.send(t, Caller{}, "GET /forward/web HTTP/1.1\nX-API-Key: k\nX-Required-Scopes: a, b\nX-Client-Ip: 192.0.2.1\nX-Apikey-Min-Cursor: c", "")
	h.send(t, Caller{}, "POST /v1/team/apikeys/authorize/web HTTP/1.1\nX-API-Key: k", `{"scopes":[],"client_ip":"2001:db8::1","cost":"3"}`)
	h.send(t, Caller{}, "GET /v1/team/apikeys/verify/web?scopes=a HTTP/1.1\nX-API-Key: k\nX-Client-Ip: 192.0.2.1", "")
	type question struct {
		scopes, ip, cursor string
		named              bool
		cost               int64
	}
	want := []question{{"[a b]", "192.0.2.1", "c", true, 1}, {"[]", "2001:db8::1", "", true, 3}, {"[a]", "invalid IP", "", false, 1}}
	for i, q := range h.decider.asked {
		if got := (question{fmt.Sprint(q.Scopes), q.ClientIP.String(), q.MinCursor, q.ScopesNamed, q.Cost}); got != want[i] || q.Client != q.ClientIP {
			t.Errorf("question %d is %+v, not %+v", i, got, want[i])
		}
	}
	if len(h.decider.asked) != len(want) || len(h.noted.decided) != len(want) || h.noted.decided[0].ClientIP != netip.MustParseAddr("192.0.2.1") || h.noted.decided[0].Door != "forward" {
		t.Errorf("%d were asked, and told are %+v", len(h.decider.asked), h.noted.decided)
	}
}

func TestKeysMayComeAsCredentials(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in      []config.KeyHeader
		headers string
		key     string
	}{
		"as a bearer":                     {[]config.KeyHeader{config.Bearer}, "Authorization: Bearer k", "k"},
		"in other letters":                {[]config.KeyHeader{config.APIKey, config.Bearer}, "Authorization: bEARER k", "k"},
		"as another's":                    {[]config.KeyHeader{config.Bearer}, "Authorization: Basic k", ""},
		"as nobody's":                     {[]config.KeyHeader{config.Bearer}, "Authorization: k", ""},
		"as an empty bearer":              {[]config.KeyHeader{config.Bearer}, "Authorization: Bearer", ""},
		"as both":                         {[]config.KeyHeader{config.APIKey, config.Bearer}, "Authorization: Bearer k\nX-API-Key: k", ""},
		"beside credentials of a service": {[]config.KeyHeader{config.APIKey, config.Bearer}, "Authorization: Basic x\nX-API-Key: k", "k"},
		"where it is not looked for":      {[]config.KeyHeader{config.Bearer}, "X-API-Key: k", ""},
		"beside where it is not":          {[]config.KeyHeader{config.APIKey}, "Authorization: Bearer x\nX-API-Key: k", "k"},
		"as two bearers":                  {[]config.KeyHeader{config.Bearer}, "Authorization: Bearer k\nAuthorization: Bearer k", ""},
	} {
		h := open(good, nil)
		h.Configure(Settings{KeyHeaders: tc.in})
		w := h.send(t, Caller{}, "GET /forward/web HTTP/1.1\n"+tc.headers, "")
		if got := h.decider.asked[0].Key.Reveal(); got != tc.key || (w.Code == 200) != (tc.key != "") {
			t.Errorf("%s: %d, about %q", name, w.Code, got)
		}
		if challenges := w.Header()["Www-Authenticate"]; tc.key == "" && len(challenges) != len(tc.in) {
			t.Errorf("%s: it is told to try %q", name, challenges)
		}
	}
}

func TestWhereTheAddressComesFrom(t *testing.T) {
	t.Parallel()
	from := func(hops int) Caller { return Caller{"X-Forwarded-For", hops} }
	for name, tc := range map[string]struct {
		caller  Caller
		headers []string
		want    string // "" for none
	}{
		"from its own header":              {Caller{}, []string{"X-Client-Ip: ::1", "X-Forwarded-For: 192.0.2.1"}, "::1"},
		"from who asked the proxy":         {from(1), []string{"X-Forwarded-For: 10.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		"from one proxy further":           {from(2), []string{"X-Forwarded-For: 10.0.0.1,192.0.2.1"}, "10.0.0.1"},
		"from several lines":               {from(2), []string{"X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 192.0.2.1"}, "10.0.0.1"},
		"from too few proxies":             {from(3), []string{"X-Forwarded-For: 10.0.0.1, 192.0.2.1"}, ""},
		"from nowhere":                     {from(1), nil, ""},
		"not from the client's own header": {from(1), []string{"X-Client-Ip: 10.0.0.1", "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
	} {
		h := open(good, nil)
		h.send(t, tc.caller, "GET /forward/web HTTP/1.1\nX-API-Key: k\n"+strings.Join(tc.headers, "\n")+strings.Repeat("\nX-None: 1", 1), "")
		if got := h.decider.asked[0].ClientIP; got.IsValid() != (tc.want != "") || got.IsValid() && got.String() != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	h := open(good, nil)
	for _, bad := range []string{"192.0.2.1:80", "", "x", "10.0.0.1, "} {
		if w := h.send(t, from(1), "GET /forward/web HTTP/1.1\nX-API-Key: k\nX-Forwarded-For: "+bad, ""); w.Code != 400 {
			t.Errorf("%q is answered %d", bad, w.Code)
		}
	}
}

func TestAnswersSayWhatTheStatusDoesNot(t *testing.T) {
	t.Parallel()
	limited := with(func(d *verify.Decision) {
		d.Code, d.Limits, d.Remaining, d.RetryAfter = verify.RateLimited, record.Limits{RateLimit: 1}, limit.Remaining{}, 7
	})
	refused := with(func(d *verify.Decision) { d.Code = verify.Revoked })
	for name, tc := range map[string]struct {
		door     string
		decision verify.Decision
		status   int
		headers  map[string]string
	}{
		"a valid key":                   {"forward", good, 200, map[string]string{"X-Apikey-Code": "valid", "X-Apikey-Id": "X7pzDtTZaKwFMUsv", "X-Apikey-Owner": "acme", "X-Apikey-Role": "web", "X-Apikey-Scopes": "read,write"}},
		"a limit that is passed on":     {"forward", limited, 429, map[string]string{"Retry-After": "7", "X-Apikey-Code": "rate_limited"}},
		"a limit to Envoy":              {"ext-authz", limited, 429, map[string]string{"Retry-After": "7"}},
		"a limit in the words of Vault": {"v1/team/apikeys/authorize", limited, 403, map[string]string{"Retry-After": "7"}},
		"a key that ended":              {"forward", refused, 401, map[string]string{"Www-Authenticate": `ApiKey realm="team/apikeys"`, "X-Apikey-Role": "web"}},
		"what is no key":                {"forward", verify.Decision{Code: verify.Invalid}, 401, map[string]string{"X-Apikey-Code": "invalid", "X-Apikey-Role": "", "X-Apikey-Owner": "", "X-Apikey-Stale": ""}},
	} {
		h := open(tc.decision, nil)
		w := h.send(t, Caller{}, "GET /"+tc.door+"/web HTTP/1.1\nX-API-Key: k", "")
		for header, want := range tc.headers {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		if w.Code != tc.status || w.Body.String() != fmt.Sprintf("{\"code\":%q}\n", tc.decision.Code) {
			t.Errorf("%s: %d, %s", name, w.Code, w.Body)
		}
	}
}

func TestAllHeadersOfAnAnswerFitIntoTwoKilobytes(t *testing.T) {
	t.Parallel()
	fat := with(func(d *verify.Decision) {
		d.Key.Role, d.Key.Owner = strings.Repeat("r", 128), strings.Repeat("o", 128)
		for i := range 20 {
			d.Scopes = append(d.Scopes, fmt.Sprintf("%090d", i))
		}
	})
	h := open(fat, nil)
	h.decider.answer.Stale = 90 * time.Second
	w := h.send(t, Caller{}, "GET /forward/web HTTP/1.1\nX-API-Key: k", "")
	n := 0
	for name, values := range w.Header() {
		if strings.HasPrefix(name, "X-Apikey-") {
			n += len(name) + len(values[0]) + 4
		}
	}
	if n > 2048 || w.Header().Get("X-Apikey-Scopes-Omitted") != "true" || w.Header().Get("X-Apikey-Stale") != "90" || w.Header().Get("X-Apikey-Role") == "" {
		t.Errorf("%d bytes: %v", n, w.Header())
	}
}

func TestWhatIsNotDecidedIsNoRefusal(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]struct {
		status int
		text   string
	}{
		edge.ErrBusy:                           {503, "busy"},
		fmt.Errorf("x: %w", edge.ErrStale):     {503, "stale"},
		edge.ErrClosed:                         {503, "closed"},
		edge.ErrRoleNeeded:                     {400, edge.ErrRoleNeeded.Error()},
		verify.ErrScopesRequired:               {400, verify.ErrScopesRequired.Error()},
		context.DeadlineExceeded:               {503, "busy"},
		fmt.Errorf("with %s in it", "a cause"): {500, "internal error"},
	} {
		for _, door := range []string{"v1/team/apikeys/authorize", "v1/team/apikeys/verify", "forward", "ext-authz"} {
			h := open(good, err)
			w := h.send(t, Caller{}, "GET /"+door+"/web HTTP/1.1\nX-API-Key: k", "")
			says, _ := json.Marshal(want.text)
			if retry := w.Header().Get("Retry-After"); w.Code != want.status || !strings.Contains(w.Body.String(), string(says)) || (retry == "1") != (want.status == 503) || w.Header().Get("X-Apikey-Code") != "" {
				t.Errorf("%v at %s: %d, %s, %v", err, door, w.Code, w.Body, w.Header())
			}
			if strings.Contains(w.Body.String(), "a cause") || len(h.noted.decided) != 0 || len(h.noted.failed) != 1 {
				t.Errorf("%v at %s: %s, told %v", err, door, w.Body, h.noted.failed)
			}
		}
	}
}

func TestTheGraceIsTold(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	h.decider.answer.Stale = 1100 * time.Millisecond
	for _, request := range []string{"GET /forward/web", "GET /v1/team/apikeys/authorize/web", "GET /v1/team/apikeys/verify/web"} {
		if w := h.send(t, Caller{}, request+" HTTP/1.1\nX-API-Key: k", ""); w.Header().Get("X-Apikey-Stale") != "2" {
			t.Errorf("%s: %v", request, w.Header())
		}
	}
}

func TestOneRoleIsMeantWhereThereIsOne(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	for _, path := range []string{"/forward", "/forward/", "/v1/team/apikeys/authorize"} {
		h.send(t, Caller{}, "GET "+path+" HTTP/1.1\nX-API-Key: k", "")
	}
	for _, q := range h.decider.asked { // which role that is knows the mirror
		if q.Role != "" {
			t.Errorf("it asks for %q", q.Role)
		}
	}
	if len(h.decider.asked) != 3 {
		t.Errorf("%d were asked", len(h.decider.asked))
	}
}

// TestARoleIsNoPath asks a gate of any role for what would be another path at Vault.
func TestARoleIsNoPath(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	h.Configure(Settings{KeyHeaders: []config.KeyHeader{config.APIKey}})
	for _, role := range []string{"..", "%2e%2e", "..%2f..%2fsys", "a%2Fb", "a%20b", "%00", "-"} {
		for _, door := range []string{"/forward/", "/ext-authz/", "/v1/team/apikeys/authorize/"} {
			if w := h.send(t, Caller{}, "GET "+door+role+" HTTP/1.1\nX-API-Key: k", ""); w.Code != 401 && w.Code != 404 {
				t.Errorf("%s%s is answered %d", door, role, w.Code)
			}
		}
	}
	if response, err := (&envoy{doors: h.Doors}).Check(t.Context(), described("", map[string]string{"role": "../x"}, map[string]string{"x-api-key": "k"})); err != nil || response.GetDeniedResponse() == nil {
		t.Errorf("Envoy is answered %v, %v", response, err)
	}
	if len(h.decider.asked) != 0 {
		t.Errorf("it asks %+v", h.decider.asked)
	}
	if w := h.send(t, Caller{}, "GET /forward/web HTTP/1.1\nX-API-Key: k", ""); w.Code != 200 {
		t.Errorf("a role is answered %d", w.Code)
	}
}

func TestLargeBodiesAreBounded(t *testing.T) {
	t.Parallel()
	h := open(good, nil)
	if w := h.send(t, Caller{}, "POST /v1/team/apikeys/verify/web HTTP/1.1", strings.Repeat(" ", maxBody+1)); w.Code != 413 {
		t.Errorf("one that is too large is answered %d", w.Code)
	}
	h.bodies.Store(maxBodies)
	if w := h.send(t, Caller{}, "POST /v1/team/apikeys/verify/web HTTP/1.1", strings.Repeat(" ", smallBody+1)); w.Code != 503 || !strings.Contains(w.Body.String(), "busy") {
		t.Errorf("beside others it is answered %d, %s", w.Code, w.Body)
	}
	if w := h.send(t, Caller{}, "POST /v1/team/apikeys/verify/web HTTP/1.1", `{"key":"k"}`); w.Code != 200 {
		t.Errorf("a small one beside large ones is answered %d", w.Code)
	}
	if h.bodies.Load() != maxBodies {
		t.Errorf("%d bytes are held", h.bodies.Load())
	}
}

// FuzzDoors holds whatever a client may send to an answer of its own: no panic, no
// status beyond those that are promised, no key asked about but the one that was sent in
// its place, and nothing of what was sent in the answer.
func FuzzDoors(f *testing.F) {
	f.Add("GET", "/v1/team/apikeys/authorize/web?cost=1", secret, "read", "::1", "")
	f.Add("POST", "/v1/team/apikeys/verify", "", "", "", `{"batch_input":[{"key":"`+secret+`"}]}`)
	f.Add("PURGE", "/ext-authz/web/..//%2f?%zz;", secret, "a,,b", "x", "{")
	f.Fuzz(func(t *testing.T, method, target, key, scopes, address, body string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: g\r\n\r\n")))
		if err != nil {
			return
		}
		r.Body, r.ContentLength = http.NoBody, int64(len(body))
		if body != "" {
			r.Body = readCloser{strings.NewReader(body)}
		}
		for name, value := range map[string]string{"X-Api-Key": key, "X-Required-Scopes": scopes, "X-Client-Ip": address} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		h := open(good, nil)
		w := httptest.NewRecorder()
		h.Handler(func() Caller { return Caller{} }).ServeHTTP(w, r)
		if !slices.Contains([]int{200, 400, 401, 404, 405, 413}, w.Code) {
			t.Errorf("it answers %d", w.Code)
		}
		if w.Code == 200 && h.log.Len() > 0 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("it answers %s", w.Body)
		}
		for _, sent := range []string{key, scopes, address} {
			if len(sent) > 24 && strings.Contains(fmt.Sprint(w.Body, maps.Collect(maps.All(w.Header())), h.log), sent) {
				t.Errorf("it shows %q: %s", sent, w.Body)
			}
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
