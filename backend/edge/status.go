package edge

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Status is how a mirror is, for whoever watches it.
type Status struct {
	Ready    bool   // it answers
	Reason   string // why not, or why not as usual
	Degraded bool   // it answers by knowledge that is too old, in its grace
	Age      time.Duration
	Cursor   string
	Denied   []string // the paths that Vault's policies do not let it ask at
}

// Status is that of this moment.
func (m *Mirror) Status() (s Status) {
	stale, err := m.fresh()
	s.Ready, s.Degraded = err == nil, stale > 0
	if certain := m.feed.certain.Load(); certain != never {
		s.Age = m.now() - time.Duration(certain)
	}
	m.feed.mu.RLock()
	if m.feed.cursor.Term != 0 {
		s.Cursor = m.feed.cursor.String()
	}
	m.feed.mu.RUnlock()
	s.Denied = m.calls.denied(m.now())
	s.Reason = m.reason(s)
	return s
}

func (m *Mirror) reason(s Status) string {
	said := m.feed.silent.Load()
	switch {
	case m.closed.Load():
		return "the gate ends"
	case s.Ready && !s.Degraded && len(s.Denied) == 0 && said == nil:
		return ""
	case len(s.Denied) > 0:
		return "vault denies " + strings.Join(s.Denied, ", ")
	case m.feed.suspended.Load():
		return "the machine was suspended"
	case said != nil:
		return "vault is silent: " + *said
	case s.Cursor == "":
		return "no answer yet"
	default:
		return "no answer for too long"
	}
}

// Measure tells what a mirror holds and has done.
func (m *Mirror) Measure(tell func(figure string, value float64, labels ...string)) {
	s := m.Status()
	flag := map[bool]float64{true: 1}
	tell("ready", flag[s.Ready])
	tell("degraded", flag[s.Degraded])
	tell("age_seconds", s.Age.Seconds())
	set := m.settings.Load()
	tell("max_staleness_seconds", set.MaxStaleness.Seconds())
	tell("stale_grace_seconds", set.StaleGrace.Seconds())
	tell("questions_total", float64(m.verdicts.Load()))
	tell("resets_total", float64(m.feed.resets.Load()))
	tell("gates", float64(m.feed.gates.Load()))
	tell("drift_total", float64(m.drift.count()))
	m.held.keys.Measure("keys", tell)
	m.held.roles.Measure("roles", tell)
	m.held.owners.Measure("owners", tell)
	m.texts.proofs.Measure("proofs", tell)
	m.texts.invalid.Measure("invalid", tell)
	m.asks.measure(tell)
	m.calls.measure(m.now(), tell)
	m.quotas.measure(tell)
	m.reports.measure(tell)
}

// leave gives back what the mirror has of others, and tells what it was asked.
func (m *Mirror) leave(ctx context.Context) error {
	return errors.Join(m.quotas.Close(ctx), m.reports.Flush(ctx))
}
