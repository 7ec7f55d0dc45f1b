package keyhash

import (
	"context"
	"errors"
	"net/http"
	"slices"
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

// A run is one computation and those who wait for it.
type run struct {
	lane      lane
	key       string      // whose next version it hashes, or ""
	shared    bool        // with those who ask for the same
	same      fingerprint // what it computes, if it is shared
	memoryKiB uint32
	compute   func() []byte

	// Under slots.mu.
	waiters int
	queued  time.Time
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
	waiting   [lanes][]*run        // first come, first served
	shared    map[fingerprint]*run // the runs that are shared, while they wait or run
	running   int
	memoryKiB uint32 // of what runs
	last      lane   // that had its turn
	done      [lanes]work
}

// work is what became of the runs of a lane.
type work struct {
	runs    uint64        // that began
	waited  time.Duration // all of them together, for their beginning
	refused uint64        // callers who were told ErrBusy
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
				s.mu.Lock()
				s.done[r.lane].refused++
				s.mu.Unlock()
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
	if !s.place(r) {
		s.done[r.lane].refused++
		return nil, ErrBusy
	}
	r.waiters, r.queued, r.done = 1, time.Now(), make(chan struct{})
	if r.shared {
		s.shared[r.same] = r
	}
	s.waiting[r.lane] = append(s.waiting[r.lane], r)
	s.dispatch()
	return r, nil
}

// place tells whether there is a place in the lane for r. One key's next versions
// have a quarter of the places: each rotation makes a text of its own, and one
// holder who asks for a hundred at a time would fill the lane for all others.
// Presentations need no such bound: only what carries the mount's tag is hashed,
// and equal ones share a run, so that a key has no more of them waiting than it
// has versions.
func (s *slots) place(r *run) bool {
	places, ofKey := s.atOnce*r.lane.queuePerSlot(), 0
	for _, other := range s.waiting[r.lane] {
		if r.key != "" && other.key == r.key {
			ofKey++
		}
	}
	return len(s.waiting[r.lane]) < places && ofKey < places/4
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
		s.drop(r)
		s.unshare(r)
		s.dispatch() // a large run that left may have kept smaller ones waiting for memory
	}
	return true
}

// dispatch starts what may start. Whoever's turn it is holds up the others
// until there is memory for it: a large run would never get its turn among
// small ones otherwise.
func (s *slots) dispatch() {
	for {
		r := s.next()
		if r == nil || !s.fits(r) {
			return
		}
		s.drop(r)
		r.started = true
		s.done[r.lane].runs++
		s.done[r.lane].waited += time.Since(r.queued)
		s.running++
		s.memoryKiB += r.memoryKiB
		if r.lane != revocation && r.lane != background {
			s.last = r.lane
		}
		go s.execute(r)
	}
}

// next returns the first run of the lane whose turn it is, or nil when nobody waits.
func (s *slots) next() *run {
	order := [lanes]lane{0: revocation, lanes - 1: background}
	for i := range turns {
		order[1+i] = change + (max(s.last, change)-change+1+i)%turns
	}
	for _, l := range order {
		if len(s.waiting[l]) > 0 {
			return s.waiting[l][0]
		}
	}
	return nil
}

// drop takes r out of its lane.
func (s *slots) drop(r *run) {
	at := slices.Index(s.waiting[r.lane], r)
	s.waiting[r.lane] = slices.Delete(s.waiting[r.lane], at, at+1)
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
