// Package ends remembers which keys and versions were seen to have ended by
// time, so that no later change of a clock revives them in this process; and which
// pending versions were seen to take effect, by their first use or by time. It does
// not know what ends a key; records say so, and
// what they do not say yet is written into them by others.
//
// An end is remembered with what was seen: a version that came to another end
// since, by its record, is not held to this one.
package ends

import (
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// size bounds how many ends are remembered.
const size = 65536

// Clock counts what never jumps beside the mount's time, and knows which stretches
// of it the mount lived through under a wrong time.
type Clock interface {
	Now() record.Time
	Elapsed() time.Duration
	Undone(began, seen time.Duration) bool
}

// Seen are the ends of one mount. It is safe for concurrent use; make one with
// New.
type Seen struct {
	clock Clock
	ends  *cache.Cache[end, lived]
	any   atomic.Bool
}

// end is that of a version at a moment; that of a version at no moment is none, but
// that it took effect.
type end struct {
	id      string
	version int
	at      record.Time
}

// lived is a life or a grace from its beginning to when its end was seen, as the
// clock counts what never jumps. One that lies within a wrong time is over whatever
// time it is: as much has passed.
type lived struct {
	began, seen time.Duration
	// When a version took effect, and whether by its first use, which is none that a
	// clock takes back.
	at   record.Time
	used bool
}

// New remembers nothing yet.
func New(clock Clock) *Seen {
	return &Seen{clock: clock, ends: cache.New[end, lived](size)}
}

// Note takes down what of a key has ended by now.
func (s *Seen) Note(k *record.Key, now record.Time) {
	if current := k.Current(); now >= current.ExpiresAt {
		s.mark(end{k.ID, current.Number, current.ExpiresAt}, current.CreatedAt)
	}
	for i := range k.Versions {
		// What has no hash any more can be presented to nobody.
		if v := &k.Versions[i]; v.SupersededAt != 0 && !v.Hash.None() && now >= v.ValidUntil {
			s.mark(end{k.ID, v.Number, v.ValidUntil}, v.SupersededAt)
		}
	}
}

// NoteUse takes down the first use of a version that waits for it.
func (s *Seen) NoteUse(id string, version int, at record.Time) {
	if !s.InEffect(id, version) {
		s.put(end{id: id, version: version}, at, at, true)
	}
}

// Written drops what was seen of a version that took effect: its record says so.
func (s *Seen) Written(id string, version int) { s.ends.Drop(end{id: id, version: version}) }

// InEffect tells whether a version was seen to take effect, which its record may not
// say yet.
func (s *Seen) InEffect(id string, version int) bool {
	if !s.any.Load() {
		return false
	}
	_, marked, _ := s.ends.Get(end{id: id, version: version})
	return marked
}

// Settle makes k what it is now: what its record does not say of a version that
// waits, time and what was seen do. That it took effect stays so, whatever the clock
// says later.
func (s *Seen) Settle(k *record.Key, now record.Time) (changed bool) {
	waits := k.Pending()
	if waits == nil {
		return false
	}
	took, created := end{id: k.ID, version: waits.Number}, waits.CreatedAt
	switch l, marked, _ := s.ends.Get(took); {
	case marked && l.used: // perhaps under a clock that was ahead
		return k.Settle(min(l.at, now), now)
	case marked && !s.clock.Undone(l.began, l.seen):
		return k.Settle(l.at, max(l.at, now))
	}
	changed = k.Settle(0, now)
	if at := k.Highest().ActivatedAt; at != 0 {
		s.put(took, created, at, false)
	}
	return changed
}

// Of is what was seen of a key.
func (s *Seen) Of(k *record.Key) (seen record.Seen) {
	if !s.any.Load() {
		return seen
	}
	current := k.Current()
	seen.Expired = s.has(end{k.ID, current.Number, current.ExpiresAt})
	for i := range k.Versions {
		v := &k.Versions[i]
		if v.SupersededAt != 0 && !v.Hash.None() && s.has(end{k.ID, v.Number, v.ValidUntil}) {
			seen.Superseded = append(seen.Superseded, v.Number)
		}
	}
	return seen
}

func (s *Seen) mark(e end, began record.Time) {
	if !s.has(e) {
		s.put(e, began, 0, false)
	}
}

func (s *Seen) put(e end, began, at record.Time, used bool) {
	seen := s.clock.Elapsed()
	s.ends.Put(e, lived{seen - s.clock.Now().Sub(began).Std(), seen, at, used})
	s.any.Store(true)
}

func (s *Seen) has(e end) bool {
	l, marked, _ := s.ends.Get(e)
	return marked && !s.clock.Undone(l.began, l.seen)
}
