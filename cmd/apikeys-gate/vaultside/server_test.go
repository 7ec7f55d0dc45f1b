package vaultside

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

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

func newServer(t testing.TB, answer http.HandlerFunc) *server {
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
func loggedIn(t testing.TB, c config.Vault) (*Vault, *bytes.Buffer) {
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

func run(t testing.TB, v *Vault) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { cancel(); ended.Wait() })
}

func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%s did not come", what)
		}
	}
}
