package keyhash

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// ErrBusy is returned when too many hashes wait already, or this one waited
// for too long. It says nothing about any key; the same call may succeed
// later.
const ErrBusy busy = "busy: too many keys are being hashed; try again"

type busy string

func (b busy) Error() string { return string(b) }

// HTTPStatus is what the caller is answered.
func (busy) HTTPStatus() int { return http.StatusServiceUnavailable }

// errComputation is what a panic becomes. Its text is constant, because a
// panic's own might hold what was being hashed.
var errComputation = errors.New("argon2 computation failed")

// budgetKiB is the memory of all runs together: thirteen at the default cost,
// one at the highest.
const budgetKiB = 256 << 10

type lane int

const (
	revocation lane = iota
	change
	mint
	check
	background
	lanes
)

// turns is how many lanes take turns, from change on.
const turns = background - change

// queuePerSlot bounds a lane. At the default cost 64 runs are about two
// seconds of one core, which is as long as a caller of check waits: whoever
// came later would wait in vain. Who revokes a thousand leaked keys at a time
// shall not be sent away before it is in vain to wait for ten seconds.
func (l lane) queuePerSlot() int {
	if l == revocation {
		return 256
	}
	return 64
}

// patience is how long a run of this lane waits for its start. A gateway gives
// up on a check after some seconds, and a busy answer is better than none.
// Making, changing and ending keys is rare, and the caller would only come again.
// Background work that found no idle moment in a minute will be asked for again.
func (l lane) patience() time.Duration {
	switch l {
	case check:
		return 2 * time.Second
	case background:
		return time.Minute
	default:
		return 10 * time.Second
	}
}

// A run is one computation and those who wait for it.
type run struct {
	lane      lane
	id        string      // whose turn it takes; "" for a new key's
	shared    bool        // with those who ask for the same
	same      fingerprint // what it computes, if it is shared
	memoryKiB uint32
	compute   func() []byte

	// Under slots.mu.
	waiters int
	started bool

	// Set before done is closed, and read after.
	hash []byte
	err  error
	done chan struct{}
}

// slots decide which run starts when. Nothing happens on its own: runs start
// when one is submitted, ends or is given up.
type slots struct {
	atOnce int // how many runs, memory permitting

	mu        sync.Mutex
	waiting   [lanes]queue
	shared    map[fingerprint]*run // the runs that are shared, while they wait or run
	running   int
	memoryKiB uint32 // of what runs
	last      lane   // that had its turn
}

// do computes r, or joins the same computation when there is one, and returns
// its result. It gives up when ctx ends, and when patience does, unless the
// computation has begun by then.
func (s *slots) do(ctx context.Context, r *run) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := s.enter(r)
	if err != nil {
		return nil, err
	}
	patience := time.NewTimer(r.lane.patience())
	defer patience.Stop()
	for {
		select {
		case <-r.done:
			return r.hash, r.err
		case <-ctx.Done():
			s.leave(r)
			return nil, ctx.Err()
		case <-patience.C:
			if s.leave(r) {
				return nil, ErrBusy
			}
		}
	}
}

// enter puts r into its lane and returns it, or the run that it joins.
func (s *slots) enter(r *run) (*run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if same := s.shared[r.same]; r.shared && same != nil {
		same.waiters++
		return same, nil
	}
	q := &s.waiting[r.lane]
	if q.length >= s.atOnce*r.lane.queuePerSlot() {
		loser := q.makeRoom(r.id)
		if loser == nil {
			return nil, ErrBusy
		}
		s.unshare(loser)
		loser.err = ErrBusy
		close(loser.done)
	}
	r.waiters, r.done = 1, make(chan struct{})
	if r.shared {
		s.shared[r.same] = r
	}
	q.push(r)
	s.dispatch()
	return r, nil
}

// leave takes one waiter off a run that has not begun, and the run out of its
// queue with the last one. It reports false for a run that has begun: that
// keeps its slot to its end, whoever still listens, because nothing can stop
// it and its memory is taken.
func (s *slots) leave(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.started {
		return false
	}
	if r.waiters--; r.waiters == 0 {
		s.waiting[r.lane].remove(r)
		s.unshare(r)
		s.dispatch() // it may have kept smaller ones waiting for memory
	}
	return true
}

// dispatch starts what may start. Whoever's turn it is holds up the others
// until there is memory for it: a large run would never get its turn among
// small ones otherwise.
func (s *slots) dispatch() {
	for {
		q := s.next()
		if q == nil || !s.fits(q.peek()) {
			return
		}
		r := q.pop()
		r.started = true
		s.running++
		s.memoryKiB += r.memoryKiB
		if r.lane != revocation && r.lane != background {
			s.last = r.lane
		}
		go s.execute(r)
	}
}

// next returns the lane whose turn it is, or nil when nobody waits.
func (s *slots) next() *queue {
	order := [lanes]lane{0: revocation, lanes - 1: background}
	for i := range turns {
		order[1+i] = change + (max(s.last, change)-change+1+i)%turns
	}
	for _, l := range order {
		if s.waiting[l].length > 0 {
			return &s.waiting[l]
		}
	}
	return nil
}

func (s *slots) fits(r *run) bool {
	return s.running == 0 || s.running < s.atOnce && s.memoryKiB+r.memoryKiB <= budgetKiB
}

// execute computes r and gives its slot back, also when the computation
// panics: one process serves all mounts.
func (s *slots) execute(r *run) {
	defer s.finish(r)
	defer func() { _ = recover() }()
	r.err = errComputation // until it is known better
	r.hash = r.compute()
	r.err = nil
}

func (s *slots) finish(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.memoryKiB -= r.memoryKiB
	s.unshare(r)
	s.dispatch()
	close(r.done)
}

func (s *slots) unshare(r *run) {
	if s.shared[r.same] == r {
		delete(s.shared, r.same)
	}
}
