package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
)

// Of the keys here the text says what is answered.
var (
	good    = holder{Text: "the-text-of-good", ID: "good"}
	refused = holder{Text: "the-text-refused", ID: "refused"}
	another = holder{Text: "the-text-another", ID: "another"}
	busy    = holder{Text: "the-text-of-busy", ID: "busy"}
)

// answering runs a server at a socket that answers about keys, over HTTP and gRPC.
func answering(t *testing.T, answer http.HandlerFunc) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	calls := grpc.NewServer()
	auth.RegisterAuthorizationServer(calls, checks{})
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			calls.ServeHTTP(w, r)
			return
		}
		answer(w, r)
	})}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return socket
}

// checks lets good pass, and names who it is.
type checks struct {
	auth.UnimplementedAuthorizationServer
}

func (checks) Check(_ context.Context, r *auth.CheckRequest) (*auth.CheckResponse, error) {
	http := r.GetAttributes().GetRequest().GetHttp()
	switch http.GetHeaders()["x-api-key"] {
	case good.Text:
		return passed("valid", good.ID), nil
	case refused.Text:
		return passed("revoked", refused.ID), nil
	case another.Text:
		return passed("valid", good.ID), nil
	}
	return nil, fmt.Errorf("the key of another %s", http.GetPath())
}

func passed(code, id string) *auth.CheckResponse {
	option := func(name, value string) *core.HeaderValueOption {
		return &core.HeaderValueOption{Header: &core.HeaderValue{Key: name, Value: value}}
	}
	return &auth.CheckResponse{HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
		Headers: []*core.HeaderValueOption{option("x-apikey-code", code), option("x-apikey-id", id)},
	}}}
}

func TestOnlyAYesThatNamesTheKeyCounts(t *testing.T) {
	t.Parallel()
	socket := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Api-Key") {
		case good.Text:
			w.Header().Set("X-Apikey-Id", good.ID)
		case refused.Text:
			w.Header().Set("X-Apikey-Id", refused.ID)
			w.WriteHeader(http.StatusForbidden)
		case busy.Text:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, "yes")
	})
	b, err := newBrisk("unix", socket, "GET / HTTP/1.1\r\nHost: gate\r\nX-API-Key: "+hole+"\r\n\r\n", good)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	line, err := dialHotline(socket)
	if err != nil {
		t.Fatal(err)
	}
	c, err := line.caller(good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.ask(&busy); err != errBusy {
		t.Errorf("a 503 is %v", err)
	}
	for name, a := range map[string]asker{"http": b, "grpc": c} {
		for range 3 { // a connection goes on after whatever came of the last request
			if err := a.ask(&good); err != nil {
				t.Errorf("%s: a yes is %v", name, err)
			}
			var wrong wrongAnswer
			if err := a.ask(&refused); !errors.As(err, &wrong) {
				t.Errorf("%s: a no is %v", name, err)
			}
			if err := a.ask(&another); !errors.As(err, &wrong) {
				t.Errorf("%s: a yes to another key is %v", name, err)
			}
		}
	}
}

func TestAnAnswerThatComesInPiecesIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	socket := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Apikey-Id", good.ID)
		w.Header().Set("Content-Length", "6")
		for range 2 {
			io.WriteString(w, "yes")
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	})
	b, err := newBrisk("unix", socket, "GET / HTTP/1.1\r\nHost: gate\r\nX-API-Key: "+hole+"\r\n\r\n", good)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range 3 {
		answer, err := b.exchange(&good)
		if err != nil || !strings.HasSuffix(string(answer), "\r\n\r\nyesyes") {
			t.Fatalf("it is %q, %v", answer, err)
		}
	}
}

func TestAnAnswerWithoutALengthIsAMistake(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		"":                            0,
		"HTTP/1.1 200 OK\r\n":         0,
		"HTTP/1.1 200 OK\r\nA: b\r\n": 0,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n":     41,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab":   41,
		"HTTP/1.1 200 OK\r\nA: b\r\n\r\nContent-Length: 3": -1,
	} {
		got, err := length([]byte(answer), false)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("of %q the length is %d, wanted %d", answer, got, want)
		}
	}
	head := "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
	if got, err := length([]byte(head), true); got != len(head) || err != nil {
		t.Errorf("of an answer to HEAD it is %d, %v", got, err)
	}
}

func TestAConnectionThatEndsEndsItsCalls(t *testing.T) {
	t.Parallel()
	socket := answering(t, nil)
	line, err := dialHotline(socket)
	if err != nil {
		t.Fatal(err)
	}
	c, err := line.caller(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ask(&good); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := c.ask(&good); err == nil {
		t.Error("a connection that was closed answers")
	}
}
