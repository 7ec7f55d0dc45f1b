package feed

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// size is how many changes are kept: minutes of what raft can write. The name of a key
// is 40 bytes here, which makes 3 MiB a mount; that of a role or an owner up to 170.
const size = 65536

// Terms takes down the term of a process.
type Terms interface {
	// NextTerm is above all that storage knows of.
	NextTerm(ctx context.Context, now record.Time, suffix string) (uint64, error)
	// HoldTerm writes it again. It succeeds only where a write does that begins now, and
	// no later term is known.
	HoldTerm(ctx context.Context, number uint64, suffix string) error
}

// Clock tells the mount's time, and how long it takes to a moment of it.
type Clock interface {
	Now() record.Time
	Until(record.Time) time.Duration
}

// Feed is that of one mount. It is safe for concurrent use; make one with New.
type Feed struct {
	terms    Terms
	clock    Clock
	random   io.Reader
	writable func() bool
	gates    gates

	beginning chan struct{} // held while the term is taken down
	begun     atomic.Bool
	proving   chan struct{} // held while a proof is written
	ended     chan struct{}
	end       func()

	mu   sync.Mutex
	ring []string    // the change of a number lies under it, modulo size
	last wire.Cursor // the newest change
	// The number of the newest change that wakes polls, and the least that a cursor may
	// have: those before it were told of too little.
	loud, least uint64
	wake        chan struct{} // closed by the next change that wakes polls
	heard       bool          // whether anybody waits for that
	parked      int
	resets      int
	proof       *proof // that has not begun; nil where nobody waits for one
}

// New has told nothing yet. writable tells whether this node may write, and so knows
// what changes.
func New(terms Terms, clock Clock, random io.Reader, writable func() bool) *Feed {
	f := &Feed{
		terms: terms, clock: clock, random: random, writable: writable, gates: newGates(clock.Now()),
		beginning: make(chan struct{}, 1), proving: make(chan struct{}, 1), ended: make(chan struct{}), wake: make(chan struct{}),
	}
	f.end = sync.OnceFunc(func() { close(f.ended) })
	return f
}

// Tell tells of a change, and wakes the polls. It is called once the change is there for
// all who ask, and before anybody is answered.
func (f *Feed) Tell(kind wire.Kind, name string) { f.tell(kind, name, true) }

// Mention is Tell for what no gate does wrong without: it is told with the next answer.
func (f *Feed) Mention(kind wire.Kind, name string) { f.tell(kind, name, false) }

func (f *Feed) tell(kind wire.Kind, name string, wakes bool) {
	if !f.begun.Load() {
		return
	}
	change := wire.Name(kind, name)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last.Sequence++
	f.ring[f.last.Sequence%size] = change
	if wakes {
		f.rouse()
	}
}

// Reset leaves all that gates hold unconfirmed: what changed is not known by name.
func (f *Feed) Reset() {
	if !f.begun.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last.Sequence++
	f.least = f.last.Sequence
	f.rouse()
}

func (f *Feed) rouse() {
	f.loud = f.last.Sequence
	if f.heard {
		close(f.wake)
		f.wake, f.heard = make(chan struct{}), false
	}
}

// Cursor is the newest place in the feed, "" before the first poll. What is read after
// it was asked for is no older than it says.
func (f *Feed) Cursor() string {
	if !f.begun.Load() {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last.String()
}

// Stop ends all polls at once, those to come, too: what happens from now on nobody tells.
func (f *Feed) Stop() { f.end() }

// begin takes down the term, unless that was done. No feed is better than one that
// cannot be told from its predecessor.
func (f *Feed) begin(ctx context.Context) error {
	if f.begun.Load() {
		return nil
	}
	select {
	case f.beginning <- struct{}{}:
		defer func() { <-f.beginning }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.begun.Load() {
		return nil
	}
	random := make([]byte, wire.SuffixLength/2)
	if _, err := io.ReadFull(f.random, random); err != nil {
		return fmt.Errorf("begin the feed: %w", err)
	}
	suffix := hex.EncodeToString(random)
	term, err := f.terms.NextTerm(ctx, f.clock.Now(), suffix)
	if err != nil {
		return fmt.Errorf("begin the feed: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring, f.last = make([]string, size), wire.Cursor{Term: term, Suffix: suffix}
	f.begun.Store(true)
	return nil
}

// Measure tells how many gates there are, and what they are told.
func (f *Feed) Measure(tell func(figure string, value float64, labels ...string)) {
	tell("gates", float64(f.gates.lately(time.Now())))
	f.mu.Lock()
	parked, resets, changes := f.parked, f.resets, f.last.Sequence
	f.mu.Unlock()
	tell("gate_polls_parked", float64(parked))
	tell("gate_resets_total", float64(resets))
	tell("gate_changes_total", float64(changes))
}

// knows tells whether all changes since a cursor are known here. The caller holds the
// lock.
func (f *Feed) knows(c wire.Cursor) bool {
	return c.Term == f.last.Term && c.Suffix == f.last.Suffix &&
		f.least <= c.Sequence && c.Sequence <= f.last.Sequence && f.last.Sequence-c.Sequence <= size
}
