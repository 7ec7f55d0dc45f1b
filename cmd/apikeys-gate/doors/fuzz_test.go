package doors

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// exacting decides about one key, secret: good for role web, of one network, where scopes are named that it has. What is
// valid by it has arrived whole.
type exacting struct{}

var office = netip.MustParsePrefix("192.0.2.0/24")

func (exacting) Verify(_ context.Context, q edge.Question) (edge.Answer, error) {
	if q.MinCursor != "" {
		if _, ok := wire.ParseCursor(q.MinCursor); !ok {
			return edge.Answer{}, edge.ErrCursor
		}
		return edge.Answer{}, edge.ErrStale
	}
	code := verify.Valid
	switch {
	case q.Key.None() || q.Key.Reveal() != secret || q.Role != "web":
		return edge.Answer{Decision: verify.Decision{Code: verify.Invalid}}, nil
	case !q.ScopesNamed:
		return edge.Answer{}, verify.ErrScopesRequired
	case !office.Contains(q.ClientIP.Unmap()):
		code = verify.IPDenied
	case !may(q.Scopes):
		code = verify.InsufficientScope
	case q.Cost > 1:
		code = verify.RateLimited
	}
	return edge.Answer{Stale: 1, Decision: with(func(d *verify.Decision) {
		d.Code, d.Key.Owner = code, strings.Repeat("o", 128)
		for i := range 20 {
			d.Scopes = append(d.Scopes, fmt.Sprintf("%090d", i))
		}
	})}, nil
}

func may(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return s != "read" && s != "write" })
}

// fuzzed is a gate before exacting, as the bits say.
func fuzzed(bits byte) (house, Caller) {
	h := open(good, nil)
	h.Doors.decider = exacting{}
	s := Settings{Roles: []string{"web", "batch"}, KeyHeaders: []config.KeyHeader{config.APIKey}}
	if bits&1 != 0 {
		s.KeyHeaders = append(s.KeyHeaders, config.Bearer)
	}
	if bits&2 != 0 {
		s.Roles = nil
	}
	h.Configure(s)
	if hops := int(bits >> 2 & 3); hops > 0 {
		return h, Caller{"X-Forwarded-For", hops}
	}
	return h, Caller{}
}

// arrived tells whether the headers that a gateway sends say all that exacting wants, by the plainest reading of them.
func arrived(header http.Header, bits byte) bool {
	keys := header["X-Api-Key"]
	for _, value := range header["Authorization"] {
		if scheme, key, _ := strings.Cut(value, " "); bits&1 != 0 && strings.EqualFold(scheme, "bearer") {
			keys = append(slices.Clone(keys), key)
		}
	}
	scopes := header["X-Required-Scopes"]
	if len(keys) != 1 || keys[0] != secret || len(scopes) != 1 || len(header["X-Vault-Wrap-Ttl"])+len(header["X-Apikey-Min-Cursor"]) > 0 {
		return false
	}
	needed := strings.FieldsFunc(scopes[0], func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	if scopes[0] != "-" && (len(needed) == 0 || !may(needed)) {
		return false
	}
	addresses := header["X-Client-Ip"]
	if hops := int(bits >> 2 & 3); hops > 0 {
		all := strings.Split(strings.Join(header["X-Forwarded-For"], ","), ",")
		addresses = all[max(0, len(all)-hops):][:1]
		if len(all) < hops {
			return false
		}
	}
	if len(addresses) != 1 {
		return false
	}
	address, err := netip.ParseAddr(strings.TrimSpace(addresses[0]))
	return err == nil && office.Contains(address.Unmap())
}

// FuzzDoors sends whatever a client and its gateway may send over HTTP: method, path, query, headers in any number, and
// a body. It is answered with a status that is promised, in JSON, within 2 KiB of headers; valid only if all that the
// key wants has arrived; and nothing that was sent stands in an answer, in the log, or in what is noted.
func FuzzDoors(f *testing.F) {
	const all = "X-API-Key: " + secret + "\nX-Required-Scopes: read,write\nX-Client-Ip: 192.0.2.7"
	for _, door := range []string{"/forward/web", "/ext-authz/web/x/../%2f;?%zz", "/v1/team/apikeys/authorize/web", "/v1/team/apikeys/verify/web?brief=true", "//forward/web", "/forward/" + secret} {
		f.Add("GET", door, all, "", byte(0))
	}
	f.Add("POST", "/v1/team/apikeys/verify/web", "Content-Type: application/json", `{"key":"`+secret+`","scopes":[],"client_ip":"192.0.2.7","cost":"1","brief":true}`, byte(0))
	f.Add("PUT", "/v1/team/apikeys/verify", "", `{"batch_input":[{"key":"`+secret+`"},{},7]}`, byte(2))
	f.Add("POST", "/v1/team/apikeys/authorize/web", "Content-Type: application/x-www-form-urlencoded\n"+all, "cost=1&cost=2&key=%zz", byte(0))
	f.Add("PURGE", "/forward/web", "Authorization: bEARER "+secret+"\nX-Required-Scopes: -\nX-Forwarded-For: 10.0.0.1, 192.0.2.7", "{", byte(1|4))
	f.Add("GET", "/forward/web", "Authorization: Bearer "+secret+"\n"+all+"\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-For: ::1", "", byte(1|8))
	f.Add("GET", "/forward/web", strings.Replace(all, "X-Client-Ip", "X-Forwarded-For", 1)+"\nX-Forwarded-For: 10.0.0.1", "", byte(4))
	f.Add("GET", "/ext-authz/web/x", all+"\nX-Apikey-Min-Cursor: 1-0123456789abcdef.2\nX-Vault-Wrap-TTL: 1", "", byte(0))
	f.Fuzz(func(t *testing.T, method, target, headers, body string, bits byte) {
		head := method + " " + target + " HTTP/1.1\r\nHost: g\r\n" + strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil {
			return
		}
		r.Body, r.ContentLength = http.NoBody, int64(len(body))
		if body != "" {
			r.Body = readCloser{strings.NewReader(body)}
		}
		h, caller := fuzzed(bits)
		w := httptest.NewRecorder()
		h.Handler(func() Caller { return caller }).ServeHTTP(w, r)
		if !slices.Contains([]int{200, 400, 401, 403, 404, 405, 413, 429, 503}, w.Code) || w.Code == 503 && r.Header["X-Apikey-Min-Cursor"] == nil {
			t.Errorf("it answers %d", w.Code)
		}
		if !json.Valid(w.Body.Bytes()) || w.Code == 200 && h.log.Len() > 0 {
			t.Errorf("it answers %s, and logs %s", w.Body, h.log)
		}
		valid := strings.Contains(w.Body.String(), `"valid":true`) || w.Code == 200 && strings.HasPrefix(w.Body.String(), `{"code":`)
		// What stands in a body may be written in many ways, each of which is tried elsewhere.
		if byBody := body != "" && (method == "POST" || method == "PUT"); valid && !byBody && !strings.Contains(r.URL.EscapedPath(), "/verify") && !arrived(r.Header, bits) {
			t.Errorf("it is valid by %v", r.Header)
		}
		if valid && !strings.Contains(headers+body, secret) && !strings.ContainsAny(body, `\%`) {
			t.Error("a key is valid that was not sent")
		}
		wantBounded(t, w.Header())
		noted := fmt.Sprint(h.noted.failed, h.log)
		for _, d := range h.noted.decided {
			noted += fmt.Sprint(d.Door, d.Code, d.KeyID, d.Role, d.Owner)
		}
		wantNothingShown(t, fmt.Sprint(w.Body, w.Header())+noted, r.Header)
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// wantBounded wants the gate's own headers to fit into what is promised.
func wantBounded(t *testing.T, headers map[string][]string) {
	t.Helper()
	n := 0
	for name, values := range headers {
		for _, value := range values {
			if strings.HasPrefix(strings.ToLower(name), "x-apikey-") {
				n += len(name) + len(value) + len(": \r\n")
			}
		}
	}
	if n > 2048 {
		t.Errorf("its headers have %d bytes", n)
	}
}

// wantNothingShown looks for the key, and for all that is long enough to be told from what a gate says.
func wantNothingShown(t *testing.T, shown string, sent http.Header) {
	t.Helper()
	if strings.Contains(shown, secret) {
		t.Errorf("it shows the key: %s", shown)
	}
	for _, name := range []string{"X-Api-Key", "Authorization", "X-Required-Scopes", "X-Client-Ip", "X-Forwarded-For", "X-Apikey-Min-Cursor"} {
		for _, value := range sent[name] {
			if len(value) > 24 && strings.Trim(value, "0123456789,") != "" && strings.Contains(shown, value) {
				t.Errorf("it shows %q: %s", value, shown)
			}
		}
	}
}
