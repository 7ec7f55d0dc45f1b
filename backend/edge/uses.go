package edge

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"sync"

	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Reporter tells the engine what was decided here.
type Reporter interface {
	Report(ctx context.Context, role string, r wire.Report) error
}

const (
	// maxUses bounds how many uses are gathered between reports, in some 40 MiB: each is
	// one code of one version of a key.
	maxUses = 131072
	// maxRoles bounds of how many roles, of those that have something to tell; half of them
	// may be such that no key was seen of them, as whoever asks may name any.
	maxRoles = 256
)

// Uses gather what a gate decides, and report it. A report that failed is told again as it
// was, before any other of its role.
type Uses struct {
	up     Reporter
	gate   string
	logger *slog.Logger
	urgent chan struct{} // a version that waited for it was used first

	reporting sync.Mutex // held while reports are made and told

	mu      sync.Mutex
	roles   map[string]*gathered
	uses    int // of all roles
	dropped int64
}

// gathered is what was decided of the keys of one role. Each has a run of its own: one
// that the gate may not report must not hold up the others.
type gathered struct {
	run      string
	sequence int64
	uses     map[use]*tally
	told     *wire.Report // of which is not known whether it arrived
}

// use is what is counted together.
type use struct {
	id       string
	version  int
	code     verify.Code
	brownout bool
}

// tally is what was counted. The address is made a text when it is told.
type tally struct {
	wire.Use
	client netip.Addr
}

// NewUses gathers the uses of a gate.
func NewUses(up Reporter, gate string, logger *slog.Logger) *Uses {
	return &Uses{up: up, gate: gate, logger: logger, urgent: make(chan struct{}, 1), roles: make(map[string]*gathered)}
}

// Observe counts a decision. A text that is no key, at a door of no role, is reported to
// nobody.
func (u *Uses) Observe(o *verify.Observation) {
	d := &o.Decision
	role := d.Key.Role
	if !d.Proven() {
		role = o.Role
	}
	if role == "" {
		return
	}
	of := use{d.Key.ID, d.Version.Number, d.Code, d.Code == verify.Superseded && d.RetryAfter > 0}
	u.mu.Lock()
	counted := u.find(role, of)
	if counted != nil {
		counted.Count++
		counted.At = max(counted.At, o.At)
		counted.Paid = counted.Paid || o.Cost > 0
		if o.ClientIP.IsValid() && d.Proven() {
			counted.client = o.ClientIP
		}
	}
	u.mu.Unlock()
	if d.Valid() && verify.Activates(&d.Version, o.Cost) {
		select {
		case u.urgent <- struct{}{}:
		default:
		}
	}
}

// find is where to count; nil where there is no room, which is counted instead. It needs
// the lock, as all below does that does not take it.
func (u *Uses) find(role string, of use) *tally {
	g := u.roles[role]
	if g == nil && len(u.roles) >= maxRoles/2 {
		u.makeRoom()
	}
	if room := maxRoles - len(u.roles); g == nil && (room > maxRoles/2 || room > 0 && of.id != "") {
		g = &gathered{run: rand.Text(), uses: make(map[use]*tally)}
		u.roles[role] = g
	}
	if g == nil {
		u.dropped++
		return nil
	}
	counted := g.uses[of]
	if counted == nil {
		if u.uses >= maxUses {
			u.dropped++
			return nil
		}
		u.uses++
		counted = &tally{Use: wire.Use{KeyID: of.id, Version: of.version, Code: string(of.code), Brownout: of.brownout}}
		g.uses[of] = counted
	}
	return counted
}

// makeRoom forgets a role that has nothing to tell. When it has, it begins another run.
func (u *Uses) makeRoom() {
	for role, g := range u.roles {
		if g.told == nil && len(g.uses) == 0 {
			delete(u.roles, role)
			return
		}
	}
}

// Dropped is how many decisions were not counted for want of room, or because the engine
// would not hear of them.
func (u *Uses) Dropped() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.dropped
}

// measure tells what waits to be reported, and what never will be.
func (u *Uses) measure(tell func(figure string, value float64, labels ...string)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	tell("uses_waiting", float64(u.uses))
	tell("uses_dropped_total", float64(u.dropped))
}
