// Package config is the configuration of a gate: one file in HCL, as Vault Agent's, and
// the environment, which goes before it. A setting is written in one way or is a mistake,
// named with its line and with what to write instead; all mistakes are told at once.
package config

import (
	"io/fs"
	"strings"
	"time"
)

// Config is what a gate is told. All of it is checked.
type Config struct {
	Name         string
	Mount        string
	Roles        []string // none: any that its token may ask for
	MaxStaleness time.Duration
	StaleGrace   time.Duration
	KeyHeaders   []KeyHeader
	RateShare    Share
	ColdTimeout  time.Duration
	Vault        Vault
	Listeners    []Listener
	Telemetry    string // address
	DecisionLog  string // path; "" for none
	// Warnings are what is allowed, and should be known.
	Warnings []string
}

// KeyHeader is a header in which a key may come.
type KeyHeader struct {
	Name   string // as net/http writes it
	Scheme string // of credentials, before the key; "" for a header that is nothing else
}

// The headers in which a key may come.
var (
	APIKey = KeyHeader{"X-Api-Key", ""}
	Bearer = KeyHeader{"Authorization", "Bearer"}
)

// Share is how much of a rate limit is this gate's.
type Share struct {
	Auto     bool    // one over the number of gates
	Fraction float64 // else
}

// Vault is where Vault is, and how to log in.
type Vault struct {
	Address                    string
	CACert, CAPath, ServerName string
	ClientCert, ClientKey      string
	Namespace                  string
	TokenFile                  string
	AppRole                    *AppRole
	Kubernetes                 *Kubernetes
	Token                      string // from the environment, for trying out
	SkipVerify                 bool   // from the environment
	AllowHTTP                  bool   // also of another machine
}

// AppRole logs in by a role id and a secret id, each from a file.
type AppRole struct{ MountPath, RoleIDFile, SecretIDFile string }

// Kubernetes logs in by the token of a service account.
type Kubernetes struct{ MountPath, Role, TokenPath string }

// Listener is where gateways ask.
type Listener struct {
	Network           string // unix or tcp
	Address           string
	Mode              fs.FileMode // of a socket
	CertFile, KeyFile string      // of TLS; "" for none
	ClientCAFile      string      // who may connect; "" for everyone
	ClientIPFrom      string      // header of the caller's address, as net/http writes it; "" for X-Client-Ip
	TrustedHops       int
}

// TLS tells whether the listener speaks TLS.
func (l *Listener) TLS() bool { return l.CertFile != "" }

// Key is the key in a value of the header, if there is one.
func (h KeyHeader) Key(value string) (key string, ok bool) {
	if h.Scheme == "" {
		return value, true
	}
	scheme, key, _ := strings.Cut(value, " ")
	return key, strings.EqualFold(scheme, h.Scheme)
}

// Challenge tells a client how to send a key, as a 401 must (RFC 9110, 11.6.1).
func (h KeyHeader) Challenge(realm string) string {
	scheme := h.Scheme
	if scheme == "" {
		scheme = "ApiKey"
	}
	return scheme + ` realm="` + realm + `"`
}
