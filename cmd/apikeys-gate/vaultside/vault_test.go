package vaultside

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

const secret = "vak_CANARY7"

// asked is a request as a server got it.
type asked struct {
	method, path, body, proto string
	header                    http.Header
}

// server is a Vault that answers as it is told, and keeps what it was asked.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []asked
	answer http.HandlerFunc
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, asked{r.Method, r.URL.Path, body.String(), r.Proto, r.Header})
	answer := s.answer
	s.mu.Unlock()
	answer(w, r)
}

// answers from now on in this way.
func (s *server) answers(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) all() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// data answers in Vault's envelope.
func data(json string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"request_id":"r","lease_id":"","data":%s,"warnings":null}`, json)
	}
}

func status(code int, says string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"errors":[%q]}`, says)
	}
}

// loggedIn is a Vault to ask, with the token t.
func loggedIn(t *testing.T, c config.Vault) (*Vault, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	c.Token = "t"
	v, err := New(&config.Config{Mount: "team/apikeys", Vault: c}, hclog.New(&hclog.LoggerOptions{Output: log}))
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	await(t, "a token", func() bool { return v.client.Load().Token() == "t" })
	return v, log
}

func run(t *testing.T, v *Vault) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { cancel(); ended.Wait() })
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%s did not come", what)
		}
	}
}

func TestCallsAreWhatTheEngineTakes(t *testing.T) {
	t.Parallel()
	s := newServer(t, data(`{"cursor":"c","nonce":"n","changed":["i"],"grants":[{"granted":3}],"results":[{"key_id":"i","version":2}]}`))
	v, _ := loggedIn(t, config.Vault{Address: s.URL, Namespace: "ns"})
	changes, err := v.Changes(t.Context(), wire.Poll{Cursor: "c", Wait: 1000, Nonce: "n", Gate: "g"})
	if err != nil || changes.Cursor != "c" || changes.Nonce != "n" {
		t.Errorf("%+v, %v", changes, err)
	}
	told, err := v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
	if err != nil || len(told.Results) != 1 || told.Results[0].Version != 2 {
		t.Errorf("%+v, %v", told, err)
	}
	if _, err := v.Resolve(t.Context(), "", wire.Ask{}); err != nil {
		t.Error(err)
	}
	if confirmed, err := v.Confirm(t.Context(), wire.Confirm{Known: "k"}); err != nil || !slices.Equal(confirmed.Changed, []string{"i"}) {
		t.Errorf("%+v, %v", confirmed, err)
	}
	if grants, err := v.Reserve(t.Context(), "web", wire.Reserve{}); err != nil || len(grants.Grants) != 1 || grants.Grants[0].Granted != 3 {
		t.Errorf("%+v, %v", grants, err)
	}
	s.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if err := v.Report(t.Context(), "web", wire.Report{Sequence: 1}); err != nil {
		t.Error(err)
	}
	var paths []string
	for _, a := range s.all() {
		paths = append(paths, strings.TrimPrefix(a.path, "/v1/team/apikeys/"))
		polls := a.path == "/v1/team/apikeys/gate/changes"
		if a.header.Get("X-Vault-Token") != "t" || a.header.Get("X-Vault-Namespace") != "ns" || (a.header.Get("X-Vault-No-Request-Forwarding") == "true") != polls || !json.Valid([]byte(a.body)) {
			t.Errorf("it asks %+v", a)
		}
	}
	if want := []string{"gate/changes", "gate/resolve/web", "gate/resolve", "gate/confirm", "gate/reserve/web", "gate/report/web"}; !slices.Equal(paths, want) {
		t.Errorf("it asks at %v", paths)
	}
}

func TestOneRedirectIsFollowedWithTheBody(t *testing.T) {
	t.Parallel()
	active := newServer(t, data(`{"nonce":"n"}`))
	standby := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, active.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	v, _ := loggedIn(t, config.Vault{Address: standby.URL})
	if changes, err := v.Changes(t.Context(), wire.Poll{Nonce: "n"}); err != nil || changes.Nonce != "n" {
		t.Errorf("%+v, %v", changes, err)
	}
	first, then := standby.all(), active.all()
	if len(first) != 1 || len(then) != 1 || first[0].body != then[0].body || !strings.Contains(then[0].body, `"nonce":"n"`) || then[0].header.Get("X-Vault-No-Request-Forwarding") != "true" {
		t.Errorf("it asks %+v, then %+v", first, then)
	}
	active.answers(standby.answer)
	if _, err := v.Changes(t.Context(), wire.Poll{}); err == nil || len(active.all()) != 2 {
		t.Errorf("of a second redirect: %v", err)
	}
}

func TestNoRedirectLeadsIntoTheClear(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1:8200"+r.URL.Path, http.StatusTemporaryRedirect)
	})
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := v.Resolve(ctx, "web", wire.Ask{Keys: []string{secret}}); !errors.Is(err, errInClear) {
		t.Errorf("it says %v", err)
	}
}

func TestWhatIsSilence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		denied bool
		says   string
	}{
		"no permission":            {status(403, "permission denied "+secret), true, "denied by vault: team/apikeys/gate/resolve/web"},
		"no such path":             {status(404, secret), false, "no engine, or an older one"},
		"a sealed Vault":           {status(503, "Vault is sealed "+secret), false, "status 503"},
		"a limit of Vault's":       {status(429, secret), false, "status 429"},
		"a fault":                  {status(500, secret), false, "status 500"},
		"a mistake":                {status(400, secret), false, "status 400"},
		"another program":          {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>"+secret) }, false, "none of this engine"},
		"an answer without data":   {data("null"), false, "none of this engine"},
		"an answer of other types": {data(`{"results":"` + secret + `"}`), false, "none of this engine"},
		"a broken connection":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "no answer at gate/resolve/web"},
	} {
		s := newServer(t, tc.answer)
		v, log := loggedIn(t, config.Vault{Address: s.URL})
		_, err := v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
		if err == nil || errors.Is(err, edge.ErrDenied) != tc.denied || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(fmt.Sprint(err, log), "CANARY") {
			t.Errorf("%s: it shows a key: %v, %s", name, err, log)
		}
		if n := len(s.all()); n != 1 {
			t.Errorf("%s: it was asked %d times", name, n)
		}
		_, _ = v.Resolve(t.Context(), "web", wire.Ask{Keys: []string{secret}})
		if said := strings.Count(log.String(), "gate/resolve/web"); said == 0 || strings.Count(log.String(), "what the gate asks") != 1 {
			t.Errorf("%s: twice silent it says %s", name, log)
		}
	}
}

func TestWhyVaultDoesNotAnswerAPollIsSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t, status(503, "Vault is sealed"))
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	if _, err := v.Changes(t.Context(), wire.Poll{}); err == nil || err.Error() != "status 503 at gate/changes: Vault is sealed" {
		t.Errorf("it says %v", err)
	}
}

func TestAHalfOpenConnectionIsGivenUpWithItsCall(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	s := &server{answer: func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(func() { close(hang); s.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	v, _ := loggedIn(t, config.Vault{Address: s.URL, CACert: ca})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := v.Changes(ctx, wire.Poll{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it says %v", err)
	}
	s.answers(data(`{"nonce":"n"}`))
	if changes, err := v.Changes(t.Context(), wire.Poll{}); err != nil || changes.Nonce != "n" {
		t.Errorf("afterwards %+v, %v", changes, err)
	}
	for _, a := range s.all() {
		if a.proto != "HTTP/1.1" {
			t.Errorf("it asks by %s, which shares one connection among all", a.proto)
		}
	}
}

func TestATokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	s := newServer(t, data(`{}`))
	log := new(bytes.Buffer)
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, TokenFile: file}}, hclog.New(&hclog.LoggerOptions{Output: log, Mutex: new(sync.Mutex)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Changes(t.Context(), wire.Poll{}); !errors.Is(err, errNotLoggedIn) || len(s.all()) != 0 {
		t.Errorf("before it is there: %v", err)
	}
	run(t, v)
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		await(t, token, func() bool { return v.client.Load().Token() == token })
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	time.Sleep(look + 100*time.Millisecond)
	if v.client.Load().Token() != "second" {
		t.Error("without the file the token is forgotten")
	}
}

func TestADenialReadsTheTokenFileAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") == "old" {
			status(403, "permission denied")(w, r)
			return
		}
		data(`{}`)(w, r)
	})
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, TokenFile: file}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	await(t, "the old token", func() bool { return v.client.Load().Token() == "old" })
	write("new")
	begun := time.Now()
	if _, err := v.Changes(t.Context(), wire.Poll{}); err != nil && !errors.Is(err, edge.ErrDenied) {
		t.Error(err)
	}
	await(t, "the new token", func() bool { return v.client.Load().Token() == "new" })
	if took := time.Since(begun); took > look*3/4 {
		t.Errorf("it took %v", took)
	}
}

func TestAppRoleLogsInAgainWhenItsTokenIsDenied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"role": "r-1\n", "secret": "s-1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	logins, revoked := 0, false
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/v1/auth/gates/login":
			logins++
			fmt.Fprintf(w, `{"auth":{"client_token":"token-%d","lease_duration":3600,"renewable":false}}`, logins)
		case r.URL.Path == "/v1/auth/token/revoke-self":
			revoked = true
		case r.Header.Get("X-Vault-Token") == "token-1":
			status(403, "permission denied")(w, r)
		default:
			data(`{}`)(w, r)
		}
	})
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, AppRole: &config.AppRole{
		MountPath: "auth/gates", RoleIDFile: filepath.Join(dir, "role"), SecretIDFile: filepath.Join(dir, "secret"),
	}}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { v.Run(ctx) })
	await(t, "an answer", func() bool {
		_, err := v.Changes(t.Context(), wire.Poll{})
		return err == nil
	})
	cancel()
	ended.Wait()
	mu.Lock()
	defer mu.Unlock()
	if logins != 2 || !revoked {
		t.Errorf("%d logins, revoked %t", logins, revoked)
	}
	if login := s.all()[0]; !strings.Contains(login.body, `"role_id":"r-1"`) || !strings.Contains(login.body, `"secret_id":"s-1"`) {
		t.Errorf("it logs in with %s", login.body)
	}
}

func TestKubernetesLogsInByItsToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(file, []byte("j.w.t"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/auth/kubernetes/login" {
			fmt.Fprint(w, `{"auth":{"client_token":"k","lease_duration":3600,"renewable":true}}`)
			return
		}
		data(`{}`)(w, r)
	})
	v, err := New(&config.Config{Mount: "apikeys", Vault: config.Vault{Address: s.URL, Kubernetes: &config.Kubernetes{Role: "gate", TokenPath: file}}}, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	await(t, "an answer", func() bool {
		_, err := v.Changes(t.Context(), wire.Poll{})
		return err == nil
	})
	if login := s.all()[0]; !strings.Contains(login.body, `"jwt":"j.w.t"`) || !strings.Contains(login.body, `"role":"gate"`) {
		t.Errorf("it logs in with %s", login.body)
	}
}

func TestTheWayToLogInMayChange(t *testing.T) {
	t.Parallel()
	s := newServer(t, data(`{}`))
	v, _ := loggedIn(t, config.Vault{Address: s.URL})
	if err := v.Configure(&config.Vault{Address: s.URL, Token: "u"}); err != nil {
		t.Fatal(err)
	}
	if v.client.Load().Token() == "" {
		t.Error("meanwhile there is no token")
	}
	await(t, "the other token", func() bool { return v.client.Load().Token() == "u" })
	if err := v.Configure(&config.Vault{Address: s.URL, CACert: "/nowhere"}); err == nil || v.client.Load().Token() != "u" {
		t.Errorf("a CA that is not there: %v", err)
	}
}
