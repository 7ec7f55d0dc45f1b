package gate

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"vault-plugin-secrets-apikeys/test/harness"
)

// heard is what a client that spoke TLS was answered, and by whom.
type heard struct {
	status int
	served string              // the common name of the server's certificate
	inside string              // what was agreed on by ALPN
	again  func() (status int) // on the same connection
}

// overTLS are the ways in which a gateway may ask. Each makes a connection of its own.
var overTLS = map[string]func(t *testing.T, address, key string, c *tls.Config) (heard, error){
	"http/1.1": func(t *testing.T, address, key string, c *tls.Config) (heard, error) {
		return byHTTP(t, address, key, c, "http/1.1")
	},
	"h2": func(t *testing.T, address, key string, c *tls.Config) (heard, error) {
		return byHTTP(t, address, key, c, "h2")
	},
	"gRPC": byGRPC,
}

func byHTTP(t *testing.T, address, key string, c *tls.Config, protocol string) (heard, error) {
	transport := &http.Transport{TLSClientConfig: c.Clone(), Protocols: new(http.Protocols)}
	transport.TLSClientConfig.NextProtos = []string{protocol}
	transport.Protocols.SetHTTP1(protocol != "h2")
	transport.Protocols.SetHTTP2(protocol == "h2")
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	ask := func() (*http.Response, error) {
		request, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address+"/forward/web", nil)
		if err != nil {
			return nil, err
		}
		request.Header.Set("X-API-Key", key)
		r, err := client.Do(request)
		if err == nil {
			_ = r.Body.Close()
		}
		return r, err
	}
	r, err := ask()
	if err != nil {
		return heard{}, err
	}
	again := func() int {
		if r, err := ask(); err == nil {
			return r.StatusCode
		}
		return 0
	}
	return heard{r.StatusCode, r.TLS.PeerCertificates[0].Subject.CommonName, r.TLS.NegotiatedProtocol, again}, nil
}

func byGRPC(t *testing.T, address, key string, c *tls.Config) (heard, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(c)))
	if err != nil {
		return heard{}, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	from := &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{Address: "127.0.0.1"}}}
	question := &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source:            &auth.AttributeContext_Peer{Address: from},
		Request:           &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "GET", Path: "/", Headers: map[string]string{"x-api-key": key}}},
		ContextExtensions: map[string]string{"role": "web"},
	}}
	var server peer.Peer
	ask := func() (status int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := auth.NewAuthorizationClient(conn).Check(ctx, question, grpc.Peer(&server))
		if r.GetOkResponse() != nil && r.GetStatus().GetCode() == 0 {
			return http.StatusOK, err
		}
		return int(r.GetDeniedResponse().GetStatus().GetCode()), err
	}
	status, err := ask()
	if err != nil {
		return heard{}, err
	}
	state := server.AuthInfo.(credentials.TLSInfo).State
	again := func() int { status, _ := ask(); return status }
	return heard{status, state.PeerCertificates[0].Subject.CommonName, state.NegotiatedProtocol, again}, nil
}

// tlsGate is a gate with a listener that everyone may speak to, and one for clients of a CA.
type tlsGate struct {
	*harness.Gate
	dir             string // of the files that its listeners read
	everyone, known string // addresses
	key             string
}

func newTLSGate(t *testing.T, ours authority) *tlsGate {
	t.Helper()
	e, dir := own(t), t.TempDir()
	(&tlsGate{dir: dir}).write(t, files(t, ours, "first"))
	tcp := fmt.Sprintf("listener \"tcp\" {\n  tls_cert_file = \"%[1]s/server.pem\"\n  tls_key_file = \"%[1]s/server.key\"\n", dir)
	g := &tlsGate{dir: dir, Gate: beside(t, e, harness.GateOptions{Config: tcp + "  address = \"127.0.0.1:0\"\n}\n" +
		tcp + "  address = \"localhost:0\"\n  tls_client_ca_file = \"" + dir + "/clients.pem\"\n}"})}
	g.Ready(t)
	listening := regexp.MustCompile(`"listening"[^\n]*"address":"([^"]+)","tls":true`).FindAllStringSubmatch(g.Log(), -1)
	if len(listening) != 2 {
		t.Fatalf("it listens at %v", listening)
	}
	g.everyone, g.known = listening[0][1], listening[1][1]
	g.key = e.Issue(t, "web", "acme").Text
	becomes(t, g.Gate, 200, g.key)
	return g
}

// TestListenersThatSpeakTLS asks by each protocol, as a client of the CA, as nobody, and as a client of another CA.
func TestListenersThatSpeakTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	g := newTLSGate(t, ours)
	for who, c := range map[string]struct {
		*tls.Config
		known bool
	}{"a client of the CA": {ours.client(t, ours), true}, "nobody": {ours.client(t), false}, "a client of another CA": {ours.client(t, theirs), false}} {
		g.answers(t, who, g.everyone, c.Config, "first", true)
		g.answers(t, who, g.known, c.Config, "first", c.known)
	}
	for name, ask := range overTLS {
		if r, err := ask(t, g.everyone, g.key, theirs.client(t)); err == nil {
			t.Errorf("%s: who does not trust the CA is answered %d", name, r.status)
		}
		if r, err := ask(t, g.everyone, "x", ours.client(t)); err != nil || r.status != http.StatusUnauthorized {
			t.Errorf("%s: what is no key is %d, %v", name, r.status, err)
		}
	}
	old := ours.client(t)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if r, err := overTLS["http/1.1"](t, g.everyone, g.key, old); err == nil {
		t.Errorf("TLS 1.1 is answered %d", r.status)
	}
	if r, err := http.Get("http://" + g.known + "/forward/web"); err != nil || r.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS it is %+v, %v", r, err)
	} else {
		_ = r.Body.Close()
	}
}

// answers wants of an address that it answers by each protocol, with this certificate, or refuses by each.
func (g *tlsGate) answers(t *testing.T, who, address string, c *tls.Config, served string, lets bool) {
	t.Helper()
	for name, ask := range overTLS {
		r, err := ask(t, address, g.key, c)
		switch {
		case !lets && err == nil:
			t.Errorf("%s: %s is let in, and answered %d", name, who, r.status)
		case lets && (err != nil || r.status != http.StatusOK || r.served != served || r.inside != strings.Replace(name, "gRPC", "h2", 1)):
			t.Errorf("%s: %s is answered %d by %q, in %q, %v; the certificate was to be %q", name, who, r.status, r.served, r.inside, err, served)
		}
	}
}

// TestCertificatesAreExchangedWhileAGateRuns writes others, good ones and broken ones, and sends SIGHUP.
func TestCertificatesAreExchangedWhileAGateRuns(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	g := newTLSGate(t, ours)
	us, them := ours.client(t, ours), ours.client(t, theirs)
	open := map[string]heard{}
	for name, ask := range overTLS {
		r, err := ask(t, g.known, g.key, us)
		if err != nil {
			t.Fatal(err)
		}
		open[name] = r
	}
	const again, not = "the configuration was read again", "nothing has changed"
	second := files(t, ours, "second")
	g.write(t, second)
	g.answers(t, "before SIGHUP a client", g.known, us, "first", true)
	g.reload(t, again)
	g.answers(t, "a new connection", g.everyone, us, "second", true)
	g.answers(t, "a new connection", g.known, us, "second", true)
	for name, r := range open {
		if status := r.again(); status != http.StatusOK {
			t.Errorf("%s: on a connection from before it is %d", name, status)
		}
	}
	third := files(t, ours, "third")
	for what, broken := range map[string]map[string]string{
		"a certificate that is none":        {"server.pem": "-----BEGIN"},
		"half a certificate":                {"server.pem": third["server.pem"][:200]},
		"a certificate of another key":      {"server.pem": third["server.pem"]},
		"an empty key":                      {"server.key": ""},
		"a client CA without a certificate": {"clients.pem": second["server.key"]},
		"a client CA that is an empty file": {"clients.pem": ""},
	} {
		g.write(t, second)
		g.write(t, broken)
		g.reload(t, not)
		g.answers(t, "after "+what+" a client", g.everyone, us, "second", true)
		g.answers(t, "after "+what+" a client", g.known, us, "second", true)
		g.answers(t, "after "+what+" a stranger", g.known, them, "", false)
	}
	third["clients.pem"] = theirs.text()
	g.write(t, third)
	g.reload(t, again)
	g.answers(t, "with another client CA who was known", g.known, us, "", false)
	g.answers(t, "with another client CA who was not", g.known, them, "third", true)
}

func (g *tlsGate) write(t *testing.T, texts map[string]string) {
	t.Helper()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// reload sends SIGHUP and waits until the log says one time more what became of it.
func (g *tlsGate) reload(t *testing.T, word string) {
	t.Helper()
	before := strings.Count(g.Log(), word)
	g.Signal(t, syscall.SIGHUP)
	harness.Eventually(t, 15*time.Second, word, func() error {
		if strings.Count(g.Log(), word) == before {
			return fmt.Errorf("it is not once more in\n%s", g.Log())
		}
		return nil
	})
}
