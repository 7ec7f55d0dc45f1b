package doors

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

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
	// A key where the role should be would stand in Vault's audit log, and in ours.
	for _, role := range []string{"..", "%2e%2e", "..%2f..%2fsys", "a%2Fb", "a%20b", "%00", "-", formed(t), "%76" + formed(t)[1:]} {
		for _, door := range []string{"/forward/", "/ext-authz/", "/v1/team/apikeys/authorize/"} {
			if w := h.send(t, Caller{}, "GET "+door+role+" HTTP/1.1\nX-API-Key: k", ""); w.Code != 401 && w.Code != 404 {
				t.Errorf("%s%s is answered %d", door, role, w.Code)
			}
		}
	}
	for _, role := range []string{"../x", formed(t)} {
		if response, err := (&envoy{doors: h.Doors}).Check(t.Context(), described("", map[string]string{"role": role}, map[string]string{"x-api-key": "k"})); err != nil || response.GetDeniedResponse() == nil {
			t.Errorf("Envoy is answered %v, %v", response, err)
		}
	}
	if len(h.decider.asked) != 0 {
		t.Errorf("it asks %+v", h.decider.asked)
	}
	if w := h.send(t, Caller{}, "GET /forward/web HTTP/1.1\nX-API-Key: k", ""); w.Code != 200 {
		t.Errorf("a role is answered %d", w.Code)
	}
}

// formed is what has the form of a key.
func formed(t *testing.T) string {
	t.Helper()
	tagKey, err := apikey.NewTagKey(make([]byte, apikey.TagKeyLength))
	if err != nil {
		t.Fatal(err)
	}
	key, err := apikey.Generate(rand.Reader, tagKey, "vak", "X7pzDtTZaKwFMUsv", 1)
	if err != nil {
		t.Fatal(err)
	}
	return key.Reveal()
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
