package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/cmd/apikeys-gate/config"
)

const (
	// elsewhere is how long clients are told that connections end, before they do.
	elsewhere = 250 * time.Millisecond
	// lastRequests is how long requests that are under way may take at the end, and
	// atMost when the process is gone in any case.
	lastRequests = 3 * time.Second
	atMost       = 9500 * time.Millisecond
)

// serve answers until a signal ends it.
func (g *gate) serve(told signals) {
	ctx, end := context.WithCancel(context.Background())
	var learning, others sync.WaitGroup
	login, logout := context.WithCancel(context.Background())
	others.Go(func() { g.vault.Run(login) })
	learning.Go(func() {
		if err := g.mirror.Run(ctx); err != nil {
			g.log.Warn("not all that was owed to vault was told", "error", err)
		}
	})
	others.Go(func() { g.watch(login) })
	for _, e := range g.entries {
		go e.serve()
		g.log.Info("listening", "address", e.listener.Addr().String(), "tls", e.certificates != nil)
	}
	go func() { _ = g.telemetry.Serve(g.watched) }()
	c := g.config.Load()
	g.log.Info("started", "gate", c.Name, "vault", c.Vault.Address, "mount", c.Mount, "roles", c.Roles, "max_staleness", c.MaxStaleness.String(), "stale_grace", c.StaleGrace.String(), "telemetry", g.watched.Addr().String())
	g.warn(c)
	go g.reloadWhenTold(ctx, told.again)
	g.log.Info("ending", "signal", (<-told.end).String())
	g.stop(func() { end(); learning.Wait() }, func() { logout(); others.Wait() })
}

func (e *entry) serve() {
	defer close(e.ended)
	if e.certificates != nil {
		_ = e.server.ServeTLS(e.listener, "", "") // it ends when it is shut down
		return
	}
	_ = e.server.Serve(e.listener)
}

// stop ends in order: no more requests, then what is owed to Vault, then the login.
func (g *gate) stop(learning, others func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.Background(), lastRequests)
		defer cancel()
		var all sync.WaitGroup
		for _, e := range g.entries {
			all.Go(func() { e.stop(ctx) })
		}
		all.Wait()
		learning()
		g.decisions.Close()
		others()
	}()
	select {
	case <-ended:
		g.log.Info("ended")
	case <-time.After(atMost):
		g.log.Warn("ended before everything was done")
	}
	_ = g.telemetry.Close()
}

// stop takes no more connections, and answers who has one: what has arrived, or arrives
// while clients are told to go elsewhere, is answered. The server's own way to shut down
// drops a request that it has just read.
func (e *entry) stop(ctx context.Context) {
	e.ending.Store(true)
	_ = e.listener.Close()
	<-e.ended
	select {
	case <-ctx.Done():
	case <-time.After(elsewhere):
	}
	if e.server.Shutdown(ctx) != nil {
		_ = e.server.Close()
	}
}

// telling tells clients, once the gate ends, that their connection does too.
func (e *entry) telling(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.ending.Load() {
			w.Header()["Connection"] = []string{"close"}
		}
		h.ServeHTTP(w, r)
	})
}

func (g *gate) warn(c *config.Config) {
	for _, warning := range c.Warnings {
		g.log.Warn(warning)
	}
}

// reloadWhenTold runs beside everything else, and nobody waits for it at the end: a disk
// that hangs while files are read must not keep the gate from ending.
func (g *gate) reloadWhenTold(ctx context.Context, told <-chan os.Signal) {
	for {
		select {
		case <-told:
			g.reload()
		case <-ctx.Done():
			return
		}
	}
}

// reload reads the configuration again, with all files that it names. What is wrong with
// one of them changes nothing.
func (g *gate) reload() {
	var s settings
	c, err := config.Read(g.path, os.Getenv)
	if err == nil {
		err = g.sameHouse(&c)
	}
	if err == nil {
		s, err = g.apply(c)
	}
	if err != nil {
		g.log.Error("the configuration was not read again; nothing has changed", "error", err)
		return
	}
	if err := g.decisions.Use(s.log); err != nil {
		g.log.Error("the configuration was read again, but for one thing", "error", err)
	}
	g.log.Info("the configuration was read again")
	g.warn(&c)
}

// errMoved is returned for a change that only a restart can make.
var errMoved = errors.New("name, mount, Vault's address, telemetry's, and of listeners the address, the socket_mode and whether they speak TLS change by a restart only")

func (g *gate) sameHouse(c *config.Config) error {
	addresses := func(of *config.Config) (all []string) {
		for _, l := range of.Listeners {
			all = append(all, l.Network, l.Address, l.Mode.String(), map[bool]string{true: "tls"}[l.TLS()])
		}
		return append(all, of.Name, of.Mount, of.Vault.Address, of.Telemetry)
	}
	if !slices.Equal(addresses(g.config.Load()), addresses(c)) {
		return errMoved
	}
	return nil
}

// apply takes a configuration on, once nothing can fail any more.
func (g *gate) apply(c config.Config) (settings, error) {
	s, err := prepare(c)
	if err == nil {
		err = g.vault.Configure(&c.Vault)
	}
	if err != nil {
		if s.log != nil {
			_ = s.log.Close()
		}
		return s, err
	}
	for i, e := range g.entries {
		e.caller.Store(callerOf(&c.Listeners[i]))
		if e.certificates != nil {
			e.certificates.Use(s.certificates[i])
		}
	}
	g.doors.Configure(doorSettings(&c))
	g.mirror.Configure(mirrorSettings(&c))
	g.config.Store(&c)
	return s, nil
}
