package gate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	of := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, der := signed(t, of, nil)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert}
}

// text is the authority's own certificate.
func (a authority) text() string { return asPEM("CERTIFICATE", a.cert.Raw) }

// pair is a certificate under a name, for this machine, and its key.
func (a authority) pair(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, der := signed(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, &a)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return asPEM("CERTIFICATE", der), asPEM("PRIVATE KEY", raw)
}

// client speaks TLS with whom the authority has signed, with a certificate of the one that is named, or with none.
func (a authority) client(t *testing.T, of ...authority) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AddCert(a.cert)
	for _, other := range of {
		pair, err := tls.X509KeyPair(texts(other.pair(t, "client")))
		if err != nil {
			t.Fatal(err)
		}
		// Whichever authorities the server names: a client may send what it likes.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

// files are all that listeners read.
func files(t *testing.T, ours authority, name string) map[string]string {
	t.Helper()
	cert, key := ours.pair(t, name)
	return map[string]string{"server.pem": cert, "server.key": key, "clients.pem": ours.text()}
}

func texts(cert, key string) (c, k []byte) { return []byte(cert), []byte(key) }

// signed makes a key and signs its certificate, by itself where there is nobody else.
func signed(t *testing.T, of *x509.Certificate, by *authority) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = &authority{key, of}
	}
	of.SerialNumber, of.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, of, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func asPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
