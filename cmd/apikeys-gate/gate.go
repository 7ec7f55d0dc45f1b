package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/version"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/decisions"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/doors"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/listen"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/telemetry"
	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/vaultside"
)

// gate is a running gate.
type gate struct {
	path      string
	config    atomic.Pointer[config.Config]
	log       hclog.Logger
	vault     *vaultside.Vault
	mirror    *edge.Mirror
	doors     *doors.Doors
	decisions *decisions.Log
	entries   []*entry
	telemetry *http.Server
	watched   net.Listener
}

// entry is a listener and what answers there.
type entry struct {
	listener     net.Listener
	server       *http.Server
	caller       atomic.Pointer[doors.Caller]
	certificates *listen.Certificates // nil without TLS
	ending       atomic.Bool
	ended        chan struct{} // closed when nothing more is accepted
}

// settings are what a gate takes from its configuration once it is read.
type settings struct {
	config       config.Config
	certificates []*tls.Config // of each listener, nil without TLS
	log          *os.File      // of decisions, nil for none
}

// prepare reads the files that a configuration names. Nothing changes by it.
func prepare(c config.Config) (s settings, err error) {
	s.config = c
	for _, l := range c.Listeners {
		var read *tls.Config
		if l.TLS() {
			if read, err = listen.Read(l); err != nil {
				return s, err
			}
		}
		s.certificates = append(s.certificates, read)
	}
	if s.log, err = decisions.Open(c.DecisionLog); err != nil {
		return s, fmt.Errorf("open the decision log: %w", err)
	}
	return s, nil
}

// newGate makes a gate, with its listeners open.
func newGate(path string, c config.Config, log hclog.Logger) (*gate, error) {
	s, err := prepare(c)
	if err != nil {
		return nil, err
	}
	g := &gate{path: path, log: log}
	g.config.Store(&c)
	if g.vault, err = vaultside.New(&c, log.Named("vault")); err != nil {
		return nil, err
	}
	of := mirrorSettings(&c)
	of.Run, of.Logger = rand.Text(), slog.New(toHclog{log.Named("mirror")})
	g.mirror = edge.New(g.vault, of, edge.System())
	g.decisions = decisions.New(s.log)
	watch := telemetry.New(g.mirror, version.Number(), version.Commit(), g.decisions.Lost)
	g.doors = doors.New(c.Mount, g.mirror, told{watch, g.decisions}, doorSettings(&c), log.Named("doors"))
	most, err := listen.Most(len(c.Listeners) + 1)
	if err != nil {
		return nil, err
	}
	for i := range c.Listeners {
		if err := g.open(c.Listeners[i], s.certificates[i], most); err != nil {
			return nil, fmt.Errorf("open a listener: %w", err)
		}
	}
	if g.watched, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", c.Telemetry); err != nil {
		return nil, fmt.Errorf("open the telemetry listener: %w", err)
	}
	g.watched = listen.Bounded(g.watched, most)
	g.telemetry = &http.Server{
		Handler: watch.Handler(), ReadTimeout: headerTime, WriteTimeout: bodyTime, IdleTimeout: idleTime, ErrorLog: quiet(log),
	}
	return g, nil
}

// told passes what doors answered on to all that want to know.
type told struct {
	*telemetry.Telemetry
	decisions *decisions.Log
}

func (t told) Decided(d doors.Decided) {
	t.Telemetry.Decided(d)
	t.decisions.Decided(d)
}

// mirrorSettings are what a mirror is told by a configuration.
func mirrorSettings(c *config.Config) edge.Settings {
	s := edge.Settings{
		Gate: c.Name, Roles: c.Roles, MaxStaleness: c.MaxStaleness, StaleGrace: c.StaleGrace, ColdTimeout: c.ColdTimeout,
	}
	if !c.RateShare.Auto {
		s.RateShare = c.RateShare.Fraction
	}
	return s
}

func doorSettings(c *config.Config) doors.Settings {
	return doors.Settings{Roles: c.Roles, KeyHeaders: c.KeyHeaders}
}

func callerOf(l *config.Listener) *doors.Caller {
	return &doors.Caller{From: l.ClientIPFrom, Hops: l.TrustedHops}
}

const (
	headerTime = 10 * time.Second // of the telemetry listener
	// bodyTime is how long a request may take to arrive, and an answer to leave: a batch
	// waits for half a minute. Its head has no time of its own: each deadline more is set
	// for each request, and those who may connect here are gateways.
	bodyTime = time.Minute
	idleTime = 3 * time.Minute
	// maxHead is what a request's head may have: gateways pass their clients' on.
	maxHead = 64 << 10
)

// open opens one listener, for so many connections, and its server.
func (g *gate) open(l config.Listener, certificates *tls.Config, most int) error {
	listener, err := listen.Open(l)
	if err != nil {
		return err
	}
	e := &entry{listener: listen.Bounded(listener, most), ended: make(chan struct{})}
	e.caller.Store(callerOf(&l))
	e.server = &http.Server{
		Handler:     e.telling(g.doors.Handler(func() doors.Caller { return *e.caller.Load() })),
		Protocols:   new(http.Protocols),
		ReadTimeout: bodyTime, WriteTimeout: bodyTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHead, ErrorLog: quiet(g.log),
		DisableGeneralOptionsHandler: true, // which answers 200 to what nobody has decided
	}
	e.server.Protocols.SetHTTP1(true)
	if certificates == nil {
		e.server.Protocols.SetUnencryptedHTTP2(true)
	} else {
		e.server.Protocols.SetHTTP2(true)
		e.certificates = new(listen.Certificates)
		e.certificates.Use(certificates)
		e.server.TLSConfig = e.certificates.Config()
	}
	g.entries = append(g.entries, e)
	return nil
}
