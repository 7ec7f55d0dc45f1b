package feed

import (
	"maps"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

const (
	// recent is how long ago the last poll of a gate may be that is there. It is twice as
	// long as a poll may wait.
	recent = 2 * wire.MaxWait * time.Millisecond
	// remembered is for how long one that has gone is shown.
	remembered = 10 * time.Minute
	// maxRuns bounds how many are known, in some 2 MiB. The one that was silent for the
	// longest goes first, and comes back with its next poll.
	maxRuns = 4096
	// countAgain is how old the count of those that are there may be.
	countAgain = time.Second
)

// gates are those that polled, each process of a gate on its own.
type gates struct {
	born record.Time

	mu      sync.Mutex
	runs    map[process]*run
	there   int // how many polled lately, when that was counted
	counted time.Time
}

type process struct{ gate, run string }

// run is a process of a gate.
type run struct {
	Run
	polled, told time.Time
	place        wire.Cursor // that it acknowledged; none if it is not of this feed
}

// Gate is what is known of a gate.
type Gate struct {
	Since record.Time // from when on polls were heard
	Runs  map[string]Run
}

// Run is what a process of a gate has heard, and what it promises.
type Run struct {
	LastPolledAt record.Time
	Acknowledged string // the cursor that it polled with, if it is of this feed
	// Current tells whether it has heard of all that wakes it.
	Current                  bool
	MaxStaleness, StaleGrace time.Duration
}

func newGates(born record.Time) gates { return gates{born: born, runs: make(map[process]*run)} }

// Gates are the names of the gates that polled within ten minutes, in byte order.
func (f *Feed) Gates() ([]string, error) {
	if !f.writable() {
		return nil, record.ErrElsewhere
	}
	g := &f.gates
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count(time.Now())
	names := make(map[string]bool)
	for p := range g.runs {
		names[p.gate] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// Gate is the gate of this name, by its processes.
func (f *Feed) Gate(name string) (gate Gate, found bool, err error) {
	if !f.writable() {
		return gate, false, record.ErrElsewhere
	}
	gate = Gate{f.gates.born, make(map[string]Run)}
	for run, is := range f.gates.of(name) {
		f.mu.Lock()
		if f.knows(is.place) {
			is.Acknowledged, is.Current = is.place.String(), f.loud <= is.place.Sequence
		}
		f.mu.Unlock()
		gate.Runs[run] = is.Run
	}
	return gate, len(gate.Runs) > 0, nil
}

func (g *gates) of(name string) map[string]run {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count(time.Now())
	found := make(map[string]run)
	for p, r := range g.runs {
		if p.gate == name {
			found[p.run] = *r
		}
	}
	return found
}

// hear takes down a poll, and answers when this process may be told of changes again.
func (g *gates) hear(p wire.Poll, from wire.Cursor, arrived time.Time, at record.Time) (paced time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := process{p.Gate, p.Run}
	r := g.runs[id]
	if r == nil {
		g.makeRoom()
		r = new(run)
		g.runs[id] = r
	}
	if arrived.Sub(r.polled) > recent {
		g.there++
	}
	r.polled, r.place = arrived, from
	r.Run = Run{
		LastPolledAt: at,
		MaxStaleness: time.Duration(p.MaxStaleness) * time.Millisecond, StaleGrace: time.Duration(p.StaleGrace) * time.Millisecond,
	}
	g.recount(arrived)
	return r.told.Add(time.Duration(g.there) * pace)
}

// told takes down that a poll is answered with changes.
func (g *gates) told(p wire.Poll, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.runs[process{p.Gate, p.Run}]; r != nil {
		r.told = at
	}
}

// lately is how many polled lately.
func (g *gates) lately(now time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.recount(now)
	return g.there
}

func (g *gates) recount(now time.Time) {
	if now.Sub(g.counted) >= countAgain {
		g.count(now)
	}
}

// count counts those that are there, and forgets those that are long gone.
func (g *gates) count(now time.Time) {
	g.there, g.counted = 0, now
	for p, r := range g.runs {
		switch silent := now.Sub(r.polled); {
		case silent > remembered:
			delete(g.runs, p)
		case silent <= recent:
			g.there++
		}
	}
}

func (g *gates) makeRoom() {
	if len(g.runs) < maxRuns {
		return
	}
	var oldest process
	for p, r := range g.runs {
		if before := g.runs[oldest]; before == nil || r.polled.Before(before.polled) {
			oldest = p
		}
	}
	if time.Since(g.runs[oldest].polled) <= recent {
		g.there--
	}
	delete(g.runs, oldest)
}
