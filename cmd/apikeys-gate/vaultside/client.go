package vaultside

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

// timeout bounds a call whose caller does not bound it, like a login.
const timeout = 10 * time.Second

// maxTrouble bounds what is read of an answer that is none of success: a few words.
const maxTrouble = 64 << 10

// newClient is a client as the environment and the file want it.
func newClient(c *config.Vault) (*api.Client, error) {
	a := api.DefaultConfig() // reads the environment
	if a.Error != nil {
		return nil, fmt.Errorf("the environment's settings for Vault: %w", a.Error)
	}
	a.Address, a.AgentAddress = c.Address, "" // a proxy in between would hide a failover behind its retries
	a.MaxRetries, a.Timeout = 0, timeout
	err := a.ConfigureTLS(&api.TLSConfig{
		CACert: c.CACert, CAPath: c.CAPath, ClientCert: c.ClientCert, ClientKey: c.ClientKey,
		TLSServerName: c.ServerName, Insecure: c.SkipVerify,
	})
	if err != nil {
		return nil, fmt.Errorf("certificates for Vault, from ca_cert, ca_path, client_cert and client_key: %w", err)
	}
	if transport, ok := a.HttpClient.Transport.(*http.Transport); ok {
		ownConnections(transport)
		keepPrivate(transport, c)
	}
	client, err := api.NewClient(a)
	if err != nil {
		return nil, fmt.Errorf("a client for Vault: %w", err)
	}
	a.HttpClient.Transport = bounded{a.HttpClient.Transport} // last: what stands above wants the one below
	client.ClearToken()                                      // the environment's is a setting like others
	client.ClearNamespace()
	client.SetWrappingLookupFunc(func(string, string) string { return "" }) // nor is that: of a wrapped answer nothing is heard
	if c.Namespace != "" {
		client.SetNamespace(c.Namespace)
	}
	return client, nil
}

// ownConnections gives each call that waits a connection of its own: a connection that
// is half open is given up with the call that waited on it, where HTTP/2 would send the
// next one on the same.
func ownConnections(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = make(map[string]func(string, *tls.Conn) http.RoundTripper)
	t.ForceAttemptHTTP2 = false
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = nil
	}
	t.MaxIdleConnsPerHost = 16
}

// keepPrivate refuses to send anything to where it would cross the network in clear. One
// redirect is followed, and where it leads is Vault's to say. This is asked before each
// request; what it else answers is whether there is a proxy.
func keepPrivate(t *http.Transport, c *config.Vault) {
	proxy := t.Proxy
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if !c.Admits(r.URL) {
			return nil, errInClear
		}
		if proxy == nil {
			return nil, nil
		}
		return proxy(r)
	}
}

// errInClear is returned for a request that would cross the network in clear.
var errInClear = errors.New("vault's answer leads to http:// of another machine; write allow_http = true in vault { … } if something else encrypts the way")

// bounded reads no more of an answer than there can be: whoever answers for Vault must not
// fill the gate's memory. The client itself keeps all of an answer that is none of success.
type bounded struct{ http.RoundTripper }

// RoundTrip is that of http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		// It may have been half open, and then so are those that are idle beside it: the
		// next call is to find that out of none of them.
		if pool, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
			pool.CloseIdleConnections()
		}
		return response, err
	}
	most := int64(maxAnswer)
	if response.StatusCode >= http.StatusMultipleChoices {
		most = maxTrouble
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, most), response.Body}
	return response, nil
}
