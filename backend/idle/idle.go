// Package idle is idle_timeout: a key that was not verified as valid for that long,
// counted from its creation or its last use, has ended, and for good. It says when a
// key ends so, remembers who was told of it, and writes nothing itself.
//
// An example, of a key under an idle_timeout of 25h:
//
//	Mon 11:30  It is verified as valid. Unless it is used again, it ends on Tue 12:30.
//	Tue 12:00  The process flushes: all uses until now are stored.
//	Tue 12:20  The process is killed. What was used since 12:00 is lost.
//	Tue 13:21  The next process is born, after a gap from 12:00 to 13:21. At 12:00 the
//	           key was not idle, so it counts as used until 13:21 and ends on
//	           Wed 14:21. One last used on Mon 10:30 had ended, and stays so.
//	Wed 14:21  A list finds it idle. It is marked before the answer says expired.
//	           A verify that came at 14:20 and was slow is answered with valid. Its
//	           use is later than what the mark was counted from, which is void: the
//	           key ends on Thu 15:20.
//	Thu 15:30  A verify says expired, and it is marked again.
//	Thu 15:31  The role's idle_timeout becomes 100h. The mark stands: still expired.
//	Thu 15:32  Storage, which was in trouble, takes the record. It says that the key
//	           expired on Thu 15:20, to every process to come, and the mark goes.
package idle

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Uses tells when keys were last used, as far as this node knows.
type Uses interface {
	Uses(ctx context.Context, id string) (record.Uses, error)
}

// Lost tells what the processes before the one born then may not have written down.
type Lost interface {
	UsageGaps(ctx context.Context, born record.Time) (Gaps, error)
}

// Clock counts what never jumps beside the mount's time, and knows which stretches
// of it the mount lived through under a wrong time.
type Clock interface {
	Now() record.Time
	Elapsed() time.Duration
	Undone(began, seen time.Duration) bool
}

// maxMarks bounds how many ends wait to be written down, in some 100 MiB. What does
// not fit is marked by whoever is told of it next.
const maxMarks = 1 << 20

// Ends are the idle ends of one mount's keys. It is safe for concurrent use; make
// one with New.
type Ends struct {
	uses     Uses
	lost     Lost
	writable func() bool
	clock    Clock
	born     record.Time
	gaps     atomic.Pointer[Gaps]

	mu     sync.Mutex
	marks  map[string]End // of keys whose record does not say so yet
	room   int            // for how many
	any    atomic.Bool    // whether there are marks
	marked chan struct{}
	noted  func(id string)
}

// End is that of a key which nobody used, as somebody was told.
type End struct {
	ID string
	At record.Time

	active      record.Time   // the last use that was known
	began, seen time.Duration // of the idleness, as the clock counts what never jumps
}

// New has marked no key yet. writable tells whether this node's uses reach storage.
func New(uses Uses, lost Lost, writable func() bool, clock Clock) *Ends {
	return &Ends{
		uses: uses, lost: lost, writable: writable, clock: clock, born: clock.Now(),
		marks: make(map[string]End), room: maxMarks, marked: make(chan struct{}, 1),
		noted: func(string) {},
	}
}

// OnNote has noted told of each key that is marked, before anybody is answered: its
// record does not say so yet. It must not call back. It is set before the ends are used.
func (e *Ends) OnNote(noted func(id string)) { e.noted = noted }

// Born is when this process began to know of uses.
func (e *Ends) Born() record.Time { return e.born }

// Of tells when a key of a role, nil for none, ends if nobody uses it, 0 for never,
// and whether somebody was told that it did. A node that may not write sees its own
// uses only, so it has no say: ErrElsewhere.
func (e *Ends) Of(ctx context.Context, k *record.Key, role *record.Role) (at record.Time, told bool, err error) {
	var timeout record.Seconds
	if role != nil {
		timeout = role.IdleTimeout
	}
	end, marked := e.mark(k.ID)
	if !marked && timeout == 0 {
		return 0, false, nil
	}
	if !e.writable() {
		return 0, false, record.ErrElsewhere
	}
	uses, err := e.uses.Uses(ctx, k.ID)
	if err != nil {
		return 0, false, err
	}
	if marked && !end.voidBy(uses) {
		return end.At, true, nil
	}
	gaps, err := e.known(ctx)
	if err != nil || timeout == 0 {
		return 0, false, err
	}
	return gaps.Credit(max(k.CreatedAt, uses.Last), timeout).Add(timeout), false, nil
}

// known are the gaps. Before this process can flush it knows no less: it reads what
// storage says of the last flush. To guess would end keys that were in use, or let in,
// and so revive, keys that had ended.
func (e *Ends) known(ctx context.Context) (Gaps, error) {
	if known := e.gaps.Load(); known != nil {
		return *known, nil
	}
	gaps, err := e.lost.UsageGaps(ctx, e.born)
	if err == nil {
		e.gaps.Store(&gaps)
	}
	return gaps, err
}

// Note marks a key that is idle now and ends by nothing else: whoever says so calls it
// first, so that no longer idle_timeout takes that back.
func (e *Ends) Note(k *record.Key, s record.Standing, now record.Time) {
	if s.Seen.Idle || !s.Idle(now) || k.EndedAt(s, now) != 0 {
		return
	}
	end := End{ID: k.ID, At: s.IdleEnd, active: s.IdleEnd.Add(-s.Role.IdleTimeout), seen: e.clock.Elapsed()}
	end.began = end.seen - now.Sub(end.active).Std()
	e.mu.Lock()
	defer e.mu.Unlock()
	if before, again := e.marks[k.ID]; before.active > end.active || !again && len(e.marks) >= e.room {
		return // a slower look found less, or there is no room
	}
	e.marks[k.ID] = end
	e.any.Store(true)
	e.noted(k.ID)
	select {
	case e.marked <- struct{}{}:
	default:
	}
}

// Marked is told when there may be more in Waiting.
func (e *Ends) Marked() <-chan struct{} { return e.marked }

// Waiting are the ends that records are to say, until Done tells that they do.
func (e *Ends) Waiting() []End {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.marks))
}

// Stands tells whether an end is one still: whether the key was not used after all,
// by a request that was decided in time and was slower, and time was what it seemed.
func (e *Ends) Stands(ctx context.Context, end End) (bool, error) {
	uses, err := e.uses.Uses(ctx, end.ID)
	return err == nil && !end.voidBy(uses) && !e.clock.Undone(end.began, end.seen), err
}

// Done drops a mark, because the record says so, or is gone.
func (e *Ends) Done(end End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.marks[end.ID] == end {
		delete(e.marks, end.ID)
		e.any.Store(len(e.marks) > 0)
	}
}

func (e *Ends) mark(id string) (end End, marked bool) {
	if !e.any.Load() {
		return end, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	end, marked = e.marks[id]
	return end, marked && !e.clock.Undone(end.began, end.seen)
}

func (end End) voidBy(uses record.Uses) bool { return uses.Last > end.active }
