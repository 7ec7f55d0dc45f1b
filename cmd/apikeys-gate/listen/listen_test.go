package listen

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// The umask is the process's: these tests do not run at the same time.

func TestASocketIsNeverOpenWider(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.sock")
	for _, mode := range []os.FileMode{0o600, 0o660, 0o666} {
		listener, err := Open(config.Listener{Network: "unix", Address: path, Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("with %o it is %v, %v", mode, info, err)
		}
		_ = listener.Close()
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("afterwards it is there: %v", err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o600 != 0o600 {
		t.Errorf("afterwards the umask is another: %v, %v", info, err)
	}
}

func TestAStaleSocketIsRemovedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	l := config.Listener{Network: "unix", Address: filepath.Join(dir, "gate.sock"), Mode: 0o600}
	first, err := Open(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(l); !errors.Is(err, errInUse) {
		t.Errorf("while another process listens: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as a process that is killed
	_ = first.Close()
	second, err := Open(l)
	if err != nil {
		t.Fatalf("the socket of one that was killed: %v", err)
	}
	_ = second.Close()
	if err := os.WriteFile(l.Address, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(l); err == nil {
		t.Error("a file that is no socket was taken away")
	}
	if text, err := os.ReadFile(l.Address); err != nil || string(text) != "x" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert}
}

// sign writes a certificate and its key into a directory.
func (a authority) sign(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	write(t, cert, "CERTIFICATE", der)
	write(t, key, "PRIVATE KEY", raw)
	return cert, key
}

func write(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyClientsOfTheCAGetInAndCertificatesMayChange(t *testing.T) {
	dir, ours, theirs := t.TempDir(), newAuthority(t), newAuthority(t)
	l := config.Listener{Network: "tcp", Address: "127.0.0.1:0", ClientCAFile: filepath.Join(dir, "ca.pem")}
	write(t, l.ClientCAFile, "CERTIFICATE", ours.cert.Raw)
	l.CertFile, l.KeyFile = ours.sign(t, dir, "first")
	read, err := Read(l)
	if err != nil {
		t.Fatal(err)
	}
	var certificates Certificates
	certificates.Use(read)
	listener, err := Open(l)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: certificates.Config(), ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })

	ask := func(client authority, name string) (server string, err error) {
		cert, key := client.sign(t, dir, name)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(ours.cert)
		transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(context.Background(), "GET", "https://"+listener.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		if response.Proto != "HTTP/2.0" {
			t.Errorf("it speaks %s", response.Proto)
		}
		return response.TLS.PeerCertificates[0].Subject.CommonName, nil
	}
	if name, err := ask(ours, "client"); err != nil || name != "first" {
		t.Errorf("%q, %v", name, err)
	}
	if _, err := ask(theirs, "stranger"); err == nil {
		t.Error("a client of another CA got in")
	}
	l.CertFile, l.KeyFile = ours.sign(t, dir, "second")
	if read, err = Read(l); err != nil {
		t.Fatal(err)
	}
	certificates.Use(read)
	if name, err := ask(ours, "client"); err != nil || name != "second" {
		t.Errorf("after it changed: %q, %v", name, err)
	}
	for _, bad := range []config.Listener{
		{CertFile: "/nowhere", KeyFile: l.KeyFile}, {CertFile: l.CertFile, KeyFile: l.KeyFile, ClientCAFile: "/nowhere"}, {CertFile: l.CertFile, KeyFile: l.KeyFile, ClientCAFile: l.KeyFile},
	} {
		if _, err := Read(bad); err == nil {
			t.Errorf("%+v was read", bad)
		}
	}
}
