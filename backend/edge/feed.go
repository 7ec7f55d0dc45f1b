package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// feed is how far a mirror has heard of changes, and how old that is.
type feed struct {
	// mu is held while what was told is applied, and shared while an answer is taken in:
	// an answer sees all of a change or none.
	mu     sync.RWMutex
	cursor wire.Cursor // how far everything was heard
	// newest is the latest term that any answer was of. What is of an earlier one comes
	// from a leader that was deposed.
	newest wire.Cursor
	past   []epoch

	// An epoch lasts from one reset to the next. 0 is before the first.
	epoch     atomic.Uint64
	certain   atomic.Int64 // the moment, by Mirror.now, up to which everything was heard
	suspended atomic.Bool
	gates     atomic.Int64
	silent    atomic.Pointer[string] // why the last poll was silence; nil where it was not
	resets    atomic.Uint64
	hurry     chan struct{} // a poll should not wait any longer
}

const never = math.MinInt64

func newFeed() *feed {
	f := &feed{hurry: make(chan struct{}, 1)}
	f.certain.Store(never)
	return f
}

// Silences, beside what an Upstream says.
var (
	errLate    = errors.New("an answer came later than was waited for it")
	errForeign = errors.New("an answer to another question")
	errDeposed = errors.New("an answer of a term that has passed: of a deposed leader, or of a mount that was restored, for which the gate is to be started anew")
	errOdd     = errors.New("an answer that makes no sense")
)

const (
	// late is how long an answer to a poll may take beyond what the poll waits, be it for
	// the write that proves it: after a break, what is half open is to be given up soon.
	late = time.Second
	// firstWait is what a poll waits until the engine says what it should.
	firstWait = time.Second
	// The pauses after silence: full jitter between none and one that doubles.
	minPause, maxPause = 50 * time.Millisecond, 2 * time.Second
)

// follow polls until ctx ends.
//
// After each break in the feed it asks without a wait, and is answered by a proof that who
// answers is the node that writes. From then on it waits. That proves nothing, and need
// not, as long as each answer comes in time: a node that works, and is cut off, gives up
// before another is elected (raft's lease), and has answered all polls a wait later.
//
// One that is suspended does not give up, but it does not answer either. A poll that was
// sent before it slept is given up a second after its wait. If it wakes by then it is
// believed, as of that moment at most, until it finds out, which it does at once; if it
// wakes later, it has to prove what it cannot. So what its successor answered, which was
// after the poll was sent, is missed by the length of one poll at most, 2 s with up to 100
// gates, however long it slept; and by raft's defaults nobody is elected in that time.
func (m *Mirror) follow(ctx context.Context) {
	wait, pause := time.Duration(0), minPause
	for ctx.Err() == nil {
		if m.feed.suspended.Load() {
			wait = 0
		}
		next, brought, err := m.poll(ctx, wait)
		if brought {
			if wait > 0 {
				pause = minPause
			}
			wait = next
			continue
		}
		if wait = next; err != nil && ctx.Err() == nil {
			said := err.Error()
			m.feed.silent.Store(&said)
		}
		m.rest(ctx, pause)
		pause = min(2*pause, maxPause)
	}
}

// rest is a pause of up to so long, so that gates that fail together do not come back
// together.
func (m *Mirror) rest(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(mathrand.N(most))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// poll asks once what changed, and answers how long the next poll should wait: not at all
// after a break in the feed. One that brought nothing, and did not wait for it either, is
// not followed by another at once: neither an engine that answers so, nor one that forgets
// the cursor each time, is to be run against.
func (m *Mirror) poll(ctx context.Context, wait time.Duration) (next time.Duration, brought bool, err error) {
	s, nonce := m.settings.Load(), rand.Text()
	m.feed.mu.RLock()
	cursor := m.feed.cursor
	m.feed.mu.RUnlock()
	p := wire.Poll{
		Wait: wait.Milliseconds(), Nonce: nonce, Gate: s.Gate, Run: s.Run,
		MaxStaleness: s.MaxStaleness.Milliseconds(), StaleGrace: s.StaleGrace.Milliseconds(),
	}
	if cursor.Term != 0 {
		p.Cursor = cursor.String()
	}
	ctx, cancel := context.WithTimeout(ctx, wait+late)
	defer cancel()
	go m.hasten(ctx, cancel)
	sent := m.now()
	a, err := m.up.Changes(ctx, p)
	took := m.count(changesPath, "", sent, err)
	waited := time.Duration(a.Waited) * time.Millisecond
	switch {
	case err != nil:
		return 0, false, err
	case a.Nonce != nonce:
		return 0, false, errForeign
	case took > wait+late:
		return 0, false, errLate
	case a.Waited < 0, waited > took+nap:
		return 0, false, errOdd
	}
	waited = min(waited, took)
	told, reset, err := m.hear(&a, sent+waited, wait == 0)
	if err != nil {
		return 0, false, err
	}
	m.clock.sample(told.Term, sent+waited, sent+took, a.Now)
	further := !reset && told != cursor
	if a.More || reset && wait > 0 {
		return 0, further, nil
	}
	return waitOf(a.Wait, s.MaxStaleness), further || took >= wait/2, nil
}

// hasten lets a poll end early where it is needed at once.
func (m *Mirror) hasten(ctx context.Context, cancel func()) {
	select {
	case <-ctx.Done():
	case <-m.feed.hurry:
		cancel()
	}
}

// waitOf is what a poll waits of what the engine asks for: a third of what a gate's
// knowledge may be old, so that a poll may be lost.
func waitOf(asked int64, maxStaleness time.Duration) time.Duration {
	if asked <= 0 {
		asked = firstWait.Milliseconds()
	}
	return min(time.Duration(min(asked, wire.MaxWait))*time.Millisecond, maxStaleness/3)
}

// hear applies what a poll was told, which was composed no earlier than this, perhaps by
// a node that has proven that it writes. It tells whether another feed began than was heard
// so far: that is believed once it is proven.
func (m *Mirror) hear(a *wire.Changes, composed time.Duration, proven bool) (told wire.Cursor, reset bool, err error) {
	told, ok := wire.ParseCursor(a.Cursor)
	if !ok {
		return told, false, errOdd
	}
	f := m.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if told.Term < f.newest.Term {
		return told, false, errDeposed
	}
	reset = a.Reset || told.Term != f.cursor.Term || told.Suffix != f.cursor.Suffix
	if !reset && told.Sequence < f.cursor.Sequence {
		return told, false, errOdd
	}
	m.drop(a.Changes)
	if reset {
		f.turn()
	}
	f.cursor, f.newest = told, told
	m.drift.heard(a, reset, composed, m.settings.Load().Logger)
	f.gates.Store(int64(a.Gates))
	f.silent.Store(nil)
	// Where there is more, it was answered to somebody before this was composed.
	if !a.More && (proven || !reset && !f.suspended.Load()) {
		f.certain.Store(max(f.certain.Load(), int64(composed)))
		f.suspended.Store(false)
	}
	return told, reset, nil
}

// drop forgets what changed. The caller holds mu.
func (m *Mirror) drop(changes []string) {
	for _, change := range changes {
		kind, name := wire.Parse(change)
		switch kind {
		case wire.KeyKind:
			m.held.keys.Drop(name)
			m.texts.invalid.Drop(name)
		case wire.RoleKind:
			m.held.roles.Drop(name)
		case wire.OwnerKind:
			m.held.owners.Drop(name)
		case wire.QuotaKind:
			m.quotas.Spent(context.Background(), name)
		default: // of a newer engine: whatever it is, it may be about anything
			m.held.clear()
			m.texts.invalid.Clear()
		}
	}
}

// suspend makes everything stale until the next poll, which comes at once.
func (f *feed) suspend() {
	f.suspended.Store(true)
	select {
	case f.hurry <- struct{}{}:
	default:
	}
}
