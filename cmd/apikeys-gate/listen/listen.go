// Package listen opens the listeners of a gate: sockets that are never open wider than
// they should be, and TLS whose certificates can be read again.
package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// Open listens.
func Open(l config.Listener) (net.Listener, error) {
	if l.Network == "tcp" {
		return net.Listen("tcp", l.Address)
	}
	if err := removeStale(l.Address); err != nil {
		return nil, err
	}
	// The umask decides before there is a socket that somebody could open. It is the
	// process's: nothing else makes files while listeners are opened.
	before := syscall.Umask(int(^l.Mode & fs.ModePerm))
	defer syscall.Umask(before)
	return net.Listen("unix", l.Address)
}

// errInUse is returned where another process listens.
var errInUse = errors.New("another process listens there")

// removeStale removes the socket of a process that ended without doing so.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen at %s: it is there, and no socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("listen at %s: %w", path, errInUse)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) { // not a word of who could be there
		return fmt.Errorf("listen at %s: who is there? %w", path, err)
	}
	return os.Remove(path)
}

// protocols are those of HTTP; gRPC is in the first.
var protocols = []string{"h2", "http/1.1"}

// Certificates are the TLS of a listener. Which file they come from may change.
type Certificates struct{ current atomic.Pointer[tls.Config] }

// Read reads the files of a listener. Nothing changes until Use.
func Read(l config.Listener) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate of %s, from tls_cert_file = %q and tls_key_file = %q: %w", l.Address, l.CertFile, l.KeyFile, err)
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: protocols,
		// A ticket would let in who had a certificate of a CA that is no longer one.
		SessionTicketsDisabled: true,
	}
	if l.ClientCAFile == "" {
		return c, nil
	}
	text, err := os.ReadFile(l.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("the client CA of %s, from tls_client_ca_file: %w", l.Address, err)
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the client CA of %s: there is no certificate in %s", l.Address, l.ClientCAFile)
	}
	return c, nil
}

// Use answers from now on with what was read.
func (c *Certificates) Use(read *tls.Config) { c.current.Store(read) }

// Config is for a server. Each connection gets what is in use then.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	}
}
