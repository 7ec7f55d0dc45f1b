// Command mapgate answers what a gate answers, from a map: the floor of what asking a
// Go program at a socket costs, whatever it decides. It reads the same headers, and
// checks nothing. Its server is set up as the gate's: the same protocols, the same
// timeouts.
//
//	mapgate SOCKET FILE
//
// FILE has a line of each key: text, key_id and owner, with a space between.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
)

// key is what is told of one.
type key struct{ id, owner string }

// keys are all of them, by their texts.
type keys map[string]key

// What is told of all of them.
const (
	code   = "valid"
	role   = "web"
	scopes = "read:orders,read:users,write:orders"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "mapgate:", err)
		os.Exit(1)
	}
}

func run(socket, file string) error {
	all, err := read(file)
	if err != nil {
		return err
	}
	calls := grpc.NewServer()
	auth.RegisterAuthorizationServer(calls, &envoy{keys: all})
	// Where a server does nothing but gRPC, the library's own way to serve it costs less.
	alone, err := net.Listen("unix", socket+".grpc")
	if err != nil {
		return err
	}
	go func() { _ = calls.Serve(alone) }()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:     handler(all, calls),
		Protocols:   new(http.Protocols),
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 3 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.Serve(listener)
}

func read(file string) (keys, error) {
	text, err := os.ReadFile(file)
	all := make(keys)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			all[fields[0]] = key{fields[1], fields[2]}
		}
	}
	return all, err
}

func handler(all keys, calls *grpc.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, r)
			return
		}
		k, ok := all[r.Header.Get("X-Api-Key")]
		if !ok || r.URL.Path != "/v1/apikeys/authorize/web" || r.Header.Get("X-Required-Scopes") == "" || r.Header.Get("X-Client-Ip") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h := w.Header()
		h["Cache-Control"] = []string{"no-store"}
		h["Content-Type"] = []string{"application/json"}
		h["X-Apikey-Code"] = []string{code}
		h["X-Apikey-Id"] = []string{k.id}
		h["X-Apikey-Owner"] = []string{k.owner}
		h["X-Apikey-Role"] = []string{role}
		h["X-Apikey-Scopes"] = []string{scopes}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(`{"code":"` + code + `"}` + "\n"))
	})
}
