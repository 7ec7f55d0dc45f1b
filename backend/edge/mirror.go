// Package edge is a gate's mirror of a mount: the records, roles and owners that it was
// asked about, and how old that knowledge is. It decides by the engine's own code.
//
// What it knows comes from Vault, by one interface. A feed tells what changed; what
// changed is dropped, and asked for again when somebody needs it. An answer is taken in
// only where nothing that it tells of was dropped since the question was sent, and never
// where it is older than what the mirror had heard by then. Everything else, errors,
// late and foreign answers, those of a term that has passed, is silence.
//
// The age of what it knows is counted from the moment from which on the last answer can
// have been composed, by the machine's own clock, and never from its arrival. What is
// too old is answered by an error. Verdicts are made anew each time; what is kept of a
// text is that it was proven to be a version of a key, under a MAC that nobody else can
// make, and no text.
//
// It does not know how Vault is reached, nor how it is asked by others.
package edge

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Upstream is Vault as a mirror sees it. Any error is silence; one that is ErrDenied is
// told to operators as that.
type Upstream interface {
	Changes(ctx context.Context, p wire.Poll) (wire.Changes, error)
	// Resolve asks at the door of a role, or at that of all where it is "".
	Resolve(ctx context.Context, role string, a wire.Ask) (wire.Told, error)
	Confirm(ctx context.Context, c wire.Confirm) (wire.Confirmed, error)
	Reserve(ctx context.Context, role string, r wire.Reserve) (wire.Grants, error)
	Report(ctx context.Context, role string, r wire.Report) error
}

// ErrDenied is returned by an Upstream where Vault's policies do not let the gate ask.
var ErrDenied = errors.New("denied by vault")

// Settings are what a gate is told to do. What is not set has its default.
type Settings struct {
	Gate string // its name
	Run  string // random for each process
	// Roles whose keys are good here; none for any that the mirror is asked about.
	Roles        []string
	MaxStaleness time.Duration // how old its knowledge may be
	StaleGrace   time.Duration // for how long after that it goes on with what it holds
	ColdTimeout  time.Duration // how long a key that it does not know may take
	// RateShare is the part of a rate limit that counts here; 0 for one part of as many
	// as there are gates.
	RateShare float64
	Size      int // about how many keys it holds, in a bit more than a KiB each
	// Observer is told of every decision, beside the mirror's own; nil for none.
	Observer verify.Observer
	Logger   *slog.Logger
}

// The defaults.
const (
	maxStaleness = 10 * time.Second
	coldTimeout  = 2 * time.Second
	size         = 131072
)

func (s Settings) withDefaults() *Settings {
	s.MaxStaleness = cmp.Or(s.MaxStaleness, maxStaleness)
	s.ColdTimeout = cmp.Or(s.ColdTimeout, coldTimeout)
	s.Size = cmp.Or(s.Size, size)
	s.Logger = cmp.Or(s.Logger, slog.New(slog.DiscardHandler))
	return &s
}

// Mirror is a gate's knowledge of one mount. It is safe for concurrent use; make one
// with New.
type Mirror struct {
	up       Upstream
	settings atomic.Pointer[Settings]
	machine  Machine
	asleep   atomic.Int64 // for how long the machine was suspended since it was first looked at
	calls    calls

	feed     *feed
	clock    *engineTime
	held     held
	texts    texts
	asks     *asks
	drift    *drift
	resolver lineage.Resolver
	limiter  verify.Limiter
	uses     *lastUses
	quotas   *Quotas
	reports  *Uses
	closed   atomic.Bool
	verdicts atomic.Uint64
}

// New makes a mirror that knows nothing, and learns while Run runs. The machine is the
// one that it runs on.
func New(up Upstream, s Settings, machine Machine) *Mirror {
	m := &Mirror{up: up, machine: machine}
	m.settings.Store(s.withDefaults())
	m.asleep.Store(int64(machine.Boottime() - machine.Monotonic()))
	m.clock = newEngineTime(m.now, m.settings.Load().Logger)
	m.held = newHeld(m.settings.Load().Size)
	m.texts = newTexts(m.settings.Load().Size)
	m.asks = newAsks()
	m.drift = newDrift()
	m.feed = newFeed()
	m.uses = newLastUses(&m.held, m.settings.Load().Size)
	m.resolver = lineage.Resolver{Idle: idle.New(m.uses, m.uses, always, m.clock), Ends: ends.New(m.clock), Clock: m.clock}
	set := m.settings.Load()
	patience := func() time.Duration { return m.settings.Load().ColdTimeout }
	m.quotas = NewQuotas(counted{up, m}, set.Gate, set.Run, m.clock.Now, patience, m.held.keys.Drop)
	m.reports = NewUses(counted{up, m}, set.Gate, set.Logger)
	m.limiter = limiter{m.quotas.Meter, m}
	return m
}

// Configure changes the settings, but for the gate's name and the run's.
func (m *Mirror) Configure(s Settings) {
	before := m.settings.Load()
	s.Gate, s.Run, s.Logger = before.Gate, before.Run, cmp.Or(s.Logger, before.Logger)
	m.settings.Store(s.withDefaults())
	m.held.resize(m.settings.Load().Size)
	m.texts.proofs.Resize(m.settings.Load().Size)
}

// goodbye bounds how long an orderly end takes.
const goodbye = 10 * time.Second

// Run learns until ctx ends. From then on the mirror decides nothing; what it owes
// Vault it tells, in a bounded time.
func (m *Mirror) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, part := range []func(context.Context){m.follow, m.watch, m.ask, m.confirm, m.quotas.Run, m.reports.Run} {
		all.Go(func() { part(ctx) })
	}
	<-ctx.Done()
	m.closed.Store(true)
	all.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	return m.leave(last)
}
