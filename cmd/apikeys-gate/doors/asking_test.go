package doors

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

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
	h.send(t, Caller{}, "GET /forward/web HTTP/1.1", "")
	if of := h.noted.decided[0]; of.KeyID != good.Key.ID || of.Version != good.Version.Number || of.Role != good.Key.Role || of.Owner != good.Key.Owner || of.Code != verify.Valid {
		t.Errorf("of a proven key it is told %+v", of)
	}
	if of := h.noted.decided[len(want)]; of.KeyID+of.Role+of.Owner != "" || of.Version != 0 || of.Code != verify.Invalid {
		t.Errorf("of what is not proven it is told %+v", of)
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
