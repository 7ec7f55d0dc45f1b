package gateways

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// site is a gateway that runs with its recipe, between clients and an API.
type site struct {
	surface.Engine
	gateway string // the address at which clients ask
	api     *api
	decider *decider
	dir     string

	telemetry string // the address of a gate's figures
}

// decider is what the gateway asks: a gate or a Vault Proxy.
type decider struct {
	start   func(t testing.TB) *harness.Program
	program *harness.Program
}

// newSite mounts the engine, and has a decider listen at a socket and an API at a port. What is between them is the
// gateway's to add.
func newSite(t *testing.T) *site {
	t.Helper()
	// A short name: sockets lie in it.
	dir, err := os.MkdirTemp("", "site-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server := servers.Server(t)
	s := &site{api: newAPI(t), dir: dir, gateway: freeAddress(t)}
	s.Engine = surface.Engine{Server: server, Mount: server.MountNew(t, harness.Mount{
		RequestHeaders:  []string{"X-API-Key", "X-Required-Scopes", "X-Client-Ip"},
		ResponseHeaders: []string{"X-Apikey-Code", "X-Apikey-Id", "X-Apikey-Owner", "X-Apikey-Scopes", "X-Apikey-Scopes-Omitted", "Retry-After"},
	})}
	s.Write(t, "roles/web", fields{
		"generate_lease": false, "require_scopes": true,
		"allowed_scopes": []string{"read:*", "write:orders"}, "default_scopes": []string{"read:orders"},
	})
	s.Write(t, "roles/test", fields{"generate_lease": false, "default_scopes": []string{"read:orders"}, "allowed_scopes": []string{"read:orders"}})
	return s
}

// behind runs the decider.
func (s *site) behind(t *testing.T, start func(t testing.TB) *harness.Program) *site {
	t.Helper()
	s.decider = &decider{start: start, program: start(t)}
	return s
}

func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := harness.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", port)
}

// run runs the gateway and waits until it listens.
func (s *site) run(t *testing.T, program string, arguments ...string) {
	t.Helper()
	p := harness.Run(t, program, arguments...)
	harness.Eventually(t, 20*time.Second, "wait for "+filepath.Base(program), func() error {
		if err := p.Running(); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", s.gateway)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// minted is a new key of the role web.
func (s *site) minted(t testing.TB, more ...fields) surface.Key {
	t.Helper()
	return s.Minted(t, "issue/web", surface.With(append([]fields{{"owner": "acme"}}, more...)...))
}

// client has another address than the programs of the site, which could otherwise say their own for its.
var client = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}

// answer is what a client got, and what the API got of its request, nil if it never came there.
type answer struct {
	*http.Response
	body string
	came *http.Request
	took time.Duration
}

// ask sends a request, written as it goes over the wire, and then closes the connection.
func (s *site) ask(t testing.TB, line string, headers ...string) answer {
	t.Helper()
	a, err := s.try(line, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (s *site) try(line string, headers ...string) (a answer, err error) {
	conn, err := client.Dial("tcp", s.gateway)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	line, body, _ := strings.Cut(line, "\n")
	mark, begun := rand.Text(), time.Now()
	lines := append([]string{line + " HTTP/1.1", "Host: api.example.com", "X-Mark: " + mark}, headers...)
	if body != "" {
		lines = append(lines, fmt.Sprint("Content-Length: ", len(body)))
	}
	if _, err = io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		return a, err
	}
	if a.Response, err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		return a, err
	}
	text, err := io.ReadAll(a.Body)
	a.body, a.came, a.took = string(text), s.api.came(mark), time.Since(begun)
	return a, err
}

// api remembers the requests that reach it.
type api struct {
	*httptest.Server
	mu       sync.Mutex
	requests map[string]*http.Request
}

func newAPI(t testing.TB) *api {
	a := &api{requests: map[string]*http.Request{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests[r.Header.Get("X-Mark")] = r
		fmt.Fprintf(w, "the API got %s %s", r.Method, body)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) came(mark string) *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[mark]
}

func (a *api) address() string { return a.Listener.Addr().String() }
