package doors

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
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
