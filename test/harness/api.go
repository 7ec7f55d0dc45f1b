package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// Response is an answer as it came, whatever its status.
type Response struct {
	Status int
	Header http.Header
	// JSON is the body, if it is a JSON object. Numbers are json.Number, so that 3600 and 3600.0 differ.
	JSON map[string]any
	Raw  []byte
}

// Data is the engine's part of the answer, nil if there is none.
func (r Response) Data() map[string]any {
	data, _ := r.JSON["data"].(map[string]any)
	return data
}

// Errors are the answer's errors, joined; warnings are in JSON.
func (r Response) Errors() string {
	list, _ := r.JSON["errors"].([]any)
	return strings.TrimSuffix(fmt.Sprintln(list...), "\n")
}

// API sends one HTTP request and never a second one: what a client library would retry is an answer here.
// The path stands after /v1/. A body of type string or []byte is sent as it is, any other as JSON, nil not at all.
// Headers are lines like "X-API-Key: abc".
func (s *Server) API(t testing.TB, method, path string, body any, headers ...string) Response {
	t.Helper()
	r, err := s.send(method, path, body, headers...)
	s.check(t, err)
	return r
}

// Expect is API for a test that knows the answer's status.
func (s *Server) Expect(t testing.TB, status int, method, path string, body any, headers ...string) Response {
	t.Helper()
	r := s.API(t, method, path, body, headers...)
	if r.Status != status {
		t.Fatalf("%s %s answered %d, wanted %d: %s", method, path, r.Status, status, r.Raw)
	}
	return r
}

// Client is HashiCorp's own client, with its retries, for tests of what programs built on it meet.
func (s *Server) Client(t testing.TB) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	config.Address = s.Address()
	client, err := api.NewClient(config)
	s.check(t, err)
	client.SetToken(s.Token)
	return client
}

// put is a write that must succeed, for the harness's own needs.
func (s *Server) put(path string, body any) error {
	r, err := s.send(http.MethodPut, path, body)
	if err == nil && r.Status/100 != 2 {
		err = fmt.Errorf("write to %s: %d: %s", path, r.Status, r.Raw)
	}
	return err
}

func (s *Server) send(method, path string, body any, headers ...string) (Response, error) {
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(body)
	case []byte:
		content = bytes.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return Response{}, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, s.Address()+"/v1/"+path, content)
	if err != nil {
		return Response{}, err
	}
	for _, line := range headers {
		name, value, found := strings.Cut(line, ":")
		if !found {
			return Response{}, fmt.Errorf("a header has the form 'Name: value'")
		}
		request.Header.Add(name, strings.TrimSpace(value))
	}
	// A line with another token stands for itself: Vault would take the first of two.
	if s.Token != "" && request.Header.Get("X-Vault-Token") == "" {
		request.Header.Set("X-Vault-Token", s.Token)
	}
	return receive(s.node.client.Do(request))
}

func receive(answer *http.Response, err error) (Response, error) {
	if err != nil {
		return Response{}, err
	}
	defer answer.Body.Close()
	r := Response{Status: answer.StatusCode, Header: answer.Header}
	if r.Raw, err = io.ReadAll(answer.Body); err != nil {
		return r, err
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Raw))
	decoder.UseNumber()
	if decoder.Decode(&r.JSON) != nil {
		r.JSON = nil // no JSON object: Raw has it
	}
	return r, nil
}

func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		// A redirect is an answer too.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
