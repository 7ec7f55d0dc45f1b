package gateways

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// checks are what is tried with each gateway, in this order.
var checks = []struct {
	name string
	run  func(t *testing.T, s *site)
}{
	{"a good key passes and the API hears whose it is", passes},
	{"no key and no good one", unknown},
	{"a scope that the key lacks", missingScope},
	{"a limit that is spent", spent},
	{"what a client says in the gateway's name", forged},
	{"headers that a client calls hop-by-hop", hopByHop},
	{"what a client says after its body", trailers},
	{"a network that the key is bound to", boundNetwork},
	{"more scopes than fit into a header", manyScopes},
	{"paths that nobody expects", oddPaths},
	{"a key that is revoked while it is used", revokedInUse},
	{"a decider that hangs, is away, or is closed", away},
}

// all are headers that are the gateway's to say, or Vault's.
var all = []string{
	"X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Role", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted", "X-Apikey-Stale",
	"X-Apikey-Min-Cursor", "X-Required-Scopes", "X-Client-Ip", "X-Vault-Token", "X-Vault-Namespace", "X-Vault-Wrap-TTL",
}

func key(text string) string { return "X-API-Key: " + text }

// want checks what the client got. The API must have been reached by what is good, and by nothing else.
func (a answer) want(t testing.TB, what string, status int) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: the client got %s %q, wanted %d", what, a.Status, a.body, status)
	}
	if (a.came != nil) != (status == http.StatusOK) {
		t.Errorf("%s: that the API was reached is %t", what, a.came != nil)
	}
}

func passes(t *testing.T, s *site) {
	k := s.minted(t, fields{"scopes": []string{"read:orders", "write:orders"}})
	for _, request := range []string{"GET /orders?page=2", "POST /orders\n{\"order\": 1}"} {
		a := s.ask(t, request, key(k.Text))
		a.want(t, request, http.StatusOK)
		if a.came == nil {
			return
		}
		_, body, _ := strings.Cut(request, "\n")
		if method, target, _ := strings.Cut(request, " "); !strings.HasPrefix(target, a.came.RequestURI) || a.body != "the API got "+method+" "+body {
			t.Errorf("%s: the API got %s, and answered %q", request, a.came.RequestURI, a.body)
		}
		for name, value := range map[string]string{"X-Apikey-Id": k.ID, "X-Apikey-Owner": "acme", "X-Apikey-Scopes": "read:orders,write:orders"} {
			if got := a.came.Header.Values(name); !slices.Equal(got, []string{value}) {
				t.Errorf("%s: the API got %s %q, wanted %q", request, name, got, value)
			}
		}
		wantNowhere(t, a, k.Text)
	}
}

// wantNowhere wants a text in nothing that the API got.
func wantNowhere(t testing.TB, a answer, text string) {
	t.Helper()
	for name, values := range a.came.Header {
		if strings.Contains(strings.Join(values, " "), text) {
			t.Errorf("the API got %.20s… in %s", text, name)
		}
	}
}

func unknown(t *testing.T, s *site) {
	k, other := s.minted(t), s.Issue(t, "test", "acme")
	changed := k.Text[:len(k.Text)-1] + "!"
	s.ask(t, "GET /orders").want(t, "no key", http.StatusUnauthorized)
	for what, text := range map[string]string{
		"an empty key": "", "a changed key": changed, "two in one": k.Text + "," + k.Text, "a long one": strings.Repeat("k", 3000),
		"another role's": other.Text, "one with more": k.Text + " ", "bytes": "\xff\xfe", "its id": k.ID,
	} {
		a := s.ask(t, "GET /orders", key(text))
		if what == "one with more" && a.StatusCode == http.StatusOK {
			continue // white space around a header's value is not part of it
		}
		a.want(t, what, http.StatusUnauthorized)
	}
	// Of two headers a gateway may take the first, if that is the one that passes.
	if a := s.ask(t, "GET /orders", key(changed), key(k.Text)); a.came != nil {
		t.Error("a second key passes behind one that is none")
	}
	if a := s.ask(t, "GET /orders", key(k.Text), key(other.Text)); a.came != nil {
		wantNowhere(t, a, other.Text)
	}
}

func missingScope(t *testing.T, s *site) {
	k := s.minted(t)
	s.ask(t, "POST /orders\n{}", key(k.Text)).want(t, "a write by who may read", http.StatusForbidden)
	s.ask(t, "POST /orders\n{}", key(k.Text), "X-Required-Scopes: read:orders").want(t, "the client names a scope", http.StatusForbidden)
	s.ask(t, "POST /orders\n{}", key(k.Text), "X-Required-Scopes: -", "X-Required-Scopes: -").want(t, "the client names none", http.StatusForbidden)
	s.ask(t, "POST /orders\n{}", key(k.Text), "X-HTTP-Method-Override: GET", "X-Forwarded-Method: GET").want(t, "the client names a method", http.StatusForbidden)
	for _, method := range []string{"MERGE", "post", "POSTS"} { // what no line names needs the scope that is more
		if a := s.ask(t, method+" /orders", key(k.Text)); a.came != nil {
			t.Errorf("%s passes with the scope of a read", method)
		}
	}
}

func spent(t *testing.T, s *site) {
	for _, limit := range []string{"rate_limit", "quota"} {
		k := s.minted(t, fields{limit: 2, limit + "_period": "1h"})
		for range 2 {
			s.ask(t, "GET /orders", key(k.Text)).want(t, "within the "+limit, http.StatusOK)
		}
		a := s.ask(t, "GET /orders", key(k.Text))
		a.want(t, "beyond the "+limit, http.StatusTooManyRequests)
		if after, _ := strconv.Atoi(a.Header.Get("Retry-After")); after < 60 || after > 3600 {
			t.Errorf("beyond the %s the client is told to come again after %q seconds", limit, a.Header.Get("Retry-After"))
		}
	}
}

func forged(t *testing.T, s *site) {
	k := s.Minted(t, "issue/web", fields{}) // without an owner that could take the place of one that the client names
	lines := []string{key(k.Text), "X-Api_Key: " + k.Text, "X_API_KEY: " + k.Text}
	for _, name := range all {
		lower := strings.ToLower(name)
		lines = append(lines, name+": evil", lower+": evil", strings.ReplaceAll(lower, "-", "_")+": evil", strings.Replace(name, "y-", "y_", 1)+": evil", strings.ReplaceAll(name, "-", ".")+": evil")
	}
	a := s.ask(t, "GET /orders", lines...)
	a.want(t, "forged headers", http.StatusOK)
	if a.came == nil {
		return
	}
	wantNowhere(t, a, "evil")
	wantNowhere(t, a, "{") // a placeholder that nobody filled
	wantNowhere(t, a, k.Text)
	if got := a.came.Header.Values("X-Apikey-Id"); !slices.Equal(got, []string{k.ID}) {
		t.Errorf("the API got the id %q, wanted %q", got, k.ID)
	}
}

func hopByHop(t *testing.T, s *site) {
	k := s.minted(t, fields{"bound_cidrs": "192.0.2.0/24"})
	for _, name := range []string{"X-Client-Ip", "X-Forwarded-For"} {
		s.ask(t, "GET /orders", key(k.Text), "Connection: close, "+name).want(t, "Connection: "+name, http.StatusForbidden)
	}
	k = s.minted(t)
	s.ask(t, "POST /orders\n{}", key(k.Text), "Connection: close, X-Required-Scopes").want(t, "Connection: X-Required-Scopes", http.StatusForbidden)
	for _, name := range []string{"X-Apikey-Id", "X-Apikey-Owner", "X-API-Key"} {
		for _, option := range []string{"close", "Upgrade"} {
			a := s.ask(t, "GET /orders", key(k.Text), "Upgrade: websocket", "Connection: "+option+", "+name)
			if a.came == nil { // refused is right as well
				if a.StatusCode >= 500 {
					t.Errorf("Connection: %s, %s: the client got %s", option, name, a.Status)
				}
				continue
			}
			wantNowhere(t, a, k.Text)
			wantWhose(t, a, k.ID)
		}
	}
}

// trailers come after a body. Some gateways pass them on, as such and not as headers.
func trailers(t *testing.T, s *site) {
	k := s.minted(t, fields{"scopes": []string{"write:orders"}})
	a := s.ask(t, "POST /orders", key(k.Text), "Trailer: X-Apikey-Owner, X-Apikey-Id",
		"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Apikey-Owner: evil\r\nX-Apikey-Id: evil")
	a.want(t, "trailers", http.StatusOK)
	if a.came != nil {
		wantNowhere(t, a, "evil")
		wantWhose(t, a, k.ID)
	}
}

// wantWhose wants the API to hear of this key of acme's.
func wantWhose(t testing.TB, a answer, key string) {
	t.Helper()
	if id, owner := a.came.Header.Values("X-Apikey-Id"), a.came.Header.Values("X-Apikey-Owner"); !slices.Equal(id, []string{key}) || !slices.Equal(owner, []string{"acme"}) {
		t.Errorf("the API got the id %q and the owner %q, wanted %s and acme", id, owner, key)
	}
}

func boundNetwork(t *testing.T, s *site) {
	near, far := s.minted(t, fields{"bound_cidrs": "127.0.0.2"}), s.minted(t, fields{"bound_cidrs": "192.0.2.0/24"})
	s.ask(t, "GET /orders", key(near.Text), "X-Forwarded-For: 192.0.2.7").want(t, "from within", http.StatusOK)
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "X-Client-Ip", "X_Client_Ip", "True-Client-Ip", "CF-Connecting-IP"} {
		s.ask(t, "GET /orders", key(far.Text), name+": 192.0.2.7").want(t, "from outside, with "+name, http.StatusForbidden)
	}
	s.ask(t, "GET /orders", key(far.Text), "Forwarded: for=192.0.2.7", "X-Forwarded-For: 192.0.2.7, 192.0.2.7", "X-Forwarded-For: 192.0.2.7").want(t, "from outside, with all of them", http.StatusForbidden)
}

func manyScopes(t *testing.T, s *site) {
	scopes := []string{"read:orders"}
	for i := range 120 {
		scopes = append(scopes, fmt.Sprintf("read:%090d", i))
	}
	k := s.minted(t, fields{"scopes": scopes})
	a := s.ask(t, "GET /orders", key(k.Text))
	a.want(t, "many scopes", http.StatusOK)
	if a.came != nil && (a.came.Header.Get("X-Apikey-Scopes") != "" || a.came.Header.Get("X-Apikey-Scopes-Omitted") != "true" || a.came.Header.Get("X-Apikey-Id") != k.ID) {
		t.Errorf("the API got %.300v", a.came.Header)
	}
}

func oddPaths(t *testing.T, s *site) {
	reader, bad := s.minted(t), s.minted(t).Text+"0"
	for _, path := range []string{
		"/orders;a=1;b", "/;", "/%", "/%zz", "/%00", "/orders%00.png", "/orders/%2e%2e/%2f", "/orders/../../etc", "//orders//", "/a?b=%zz&c;d=%00",
		"/?key=" + reader.Text, "/?role=test&scopes=read:orders", "/%0d%0aX-Required-Scopes:%20-", "/" + strings.Repeat("o", 6000), "/" + strings.Repeat("%41", 20000),
		"http://other.example.com/orders", "/_apikeys", "/v1/apikeys/authorize/web", "/\xff", "*",
	} {
		what := fmt.Sprintf("%.40q", path)
		if a, err := s.try("GET "+path, key(reader.Text)); err == nil && a.StatusCode >= 500 {
			t.Errorf("%s: a good key is answered with %s", what, a.Status)
		}
		if a, err := s.try("GET "+path, key(bad)); err == nil && a.came != nil {
			t.Errorf("%s: a bad key passes", what)
		}
		if a, err := s.try("POST "+path+"\n{}", key(reader.Text)); err == nil && a.came != nil {
			t.Errorf("%s: a write passes without its scope", what)
		}
	}
}
