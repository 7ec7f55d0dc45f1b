package main

import (
	"context"
	stdlog "log"
	"log/slog"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
)

const (
	// look is how often it is looked how the mirror is.
	look = 250 * time.Millisecond
	// again is how often it is said anew that something is not as it should be.
	again = time.Minute
	// silent is the age from which on Vault is called silent: a poll is longer overdue
	// than any that only waited.
	silent = 3 * time.Second
)

// condition is how a mirror is, in a word.
type condition string

const (
	fresh  condition = "fresh"
	denied condition = "denied"  // some of what it asks, and answering as usual, for now
	cutOff condition = "cut off" // likewise
	stale  condition = "stale"   // and answering in the grace
	closed condition = "closed"
)

func conditionOf(s *edge.Status, maxStaleness time.Duration) condition {
	switch {
	case !s.Ready:
		return closed
	case s.Degraded:
		return stale
	case len(s.Denied) > 0: // it says why, also where nothing else is heard of
		return denied
	case s.Age > min(silent, maxStaleness/2):
		return cutOff
	default:
		return fresh
	}
}

// watch logs how old the gate's knowledge is, whenever that changes what it answers.
func (g *gate) watch(ctx context.Context) {
	var (
		before condition
		heard  bool // of Vault, at least once
		said   time.Time
		since  = time.Now()
	)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := g.mirror.Status()
		now := conditionOf(&s, g.config.Load().MaxStaleness)
		if now == before && (now == fresh || time.Since(said) < again) {
			continue
		}
		if now == fresh && !heard { // it was closed until now, as each gate is at its start
			before = ""
		}
		g.say(now, before, &s, time.Since(since))
		if now != before {
			since = time.Now()
		}
		before, said, heard = now, time.Now(), heard || now == fresh
	}
}

// say logs a condition, what follows from it, and for how long it was as before.
func (g *gate) say(now, before condition, s *edge.Status, since time.Duration) {
	of := []any{"age", s.Age.Round(time.Millisecond).String(), "reason", s.Reason, "before", string(before), "for", since.Round(time.Millisecond).String()}
	switch now {
	case fresh:
		if before == "" {
			g.log.Info("fresh: vault answers", "cursor", s.Cursor)
		} else {
			g.log.Info("fresh again: vault answers", "before", string(before), "for", since.Round(time.Millisecond).String(), "cursor", s.Cursor)
		}
	case denied:
		g.log.Error("denied: vault does not let the gate ask at each path that it needs; -check prints the policy", append(of, "paths", s.Denied)...)
	case cutOff:
		g.log.Warn("cut off: vault is silent, and what is held is still fresh enough", append(of, "closes_in", g.closesIn(s))...)
	case stale:
		g.log.Error("stale: keys that are held are answered in the grace, and no change is heard of", append(of, "closes_in", g.closesIn(s))...)
	case closed:
		g.log.Error("closed: every key is answered 503", of...)
	}
}

// closesIn is how long keys that are held are answered still, if nothing is heard.
func (g *gate) closesIn(s *edge.Status) string {
	c := g.config.Load()
	return max(0, c.MaxStaleness+c.StaleGrace-s.Age).Round(time.Millisecond).String()
}

// quiet takes what net/http has to say, like a handshake that some client broke off.
func quiet(log hclog.Logger) *stdlog.Logger {
	return log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
}

// toHclog is where the mirror's log lines go: into the same log as all others.
type toHclog struct{ log hclog.Logger }

func (h toHclog) Enabled(_ context.Context, level slog.Level) bool {
	return h.log.GetLevel() <= to(level)
}

func (h toHclog) Handle(_ context.Context, r slog.Record) error {
	var with []any
	r.Attrs(func(a slog.Attr) bool {
		with = append(with, a.Key, a.Value.String())
		return true
	})
	h.log.Log(to(r.Level), r.Message, with...)
	return nil
}

func (h toHclog) WithAttrs(attrs []slog.Attr) slog.Handler {
	var with []any
	for _, a := range attrs {
		with = append(with, a.Key, a.Value.String())
	}
	return toHclog{h.log.With(with...)}
}

func (h toHclog) WithGroup(name string) slog.Handler { return toHclog{h.log.Named(name)} }

func to(level slog.Level) hclog.Level {
	switch {
	case level >= slog.LevelError:
		return hclog.Error
	case level >= slog.LevelWarn:
		return hclog.Warn
	case level >= slog.LevelInfo:
		return hclog.Info
	default:
		return hclog.Debug
	}
}
