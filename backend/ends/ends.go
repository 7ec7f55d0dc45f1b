// Package ends remembers which keys and versions were seen to have ended by
// time, so that no later change of a clock revives them in this process; and which
// pending versions were seen to take effect, by their first use or by time. It does
// not know what ends a key: records say so, and what they do not say yet is written
// into them by others.
//
// An end is remembered with what was seen: a version that came to another end
// since, by its record, is not held to this one.
package ends

import (
	"sync"
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
	first sync.Mutex // held while it is taken down when a version took effect
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
	// clock takes back, and whether its record says so.
	at            record.Time
	used, written bool
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

// Use takes down the first use of a version that waits for it, and tells whether its
// record does not say so yet. Of one that was seen to take effect by time it is the
// first use, too: a clock takes back the time, and no use.
func (s *Seen) Use(id string, v *record.Version, at record.Time) (unwritten bool) {
	took := end{id: id, version: v.Number}
	l, marked, _ := s.ends.Get(took)
	if marked && l.used {
		return !l.written
	}
	if !marked && !v.Waits() {
		return false
	}
	s.took(took, at, lived{at: at, used: true})
	return true
}

// Written takes down that a version's record says that it took effect. What was seen
// stays: somebody may still go by the record as it was before.
func (s *Seen) Written(id string, version int) {
	s.first.Lock()
	defer s.first.Unlock()
	took := end{id: id, version: version}
	if l, marked, _ := s.ends.Get(took); marked {
		l.written = true
		s.ends.Put(took, l)
	}
}

// took takes down when a version took effect. Of many first uses at once the first
// that is taken down counts: others may have been answered by it.
func (s *Seen) took(e end, began record.Time, l lived) {
	s.first.Lock()
	defer s.first.Unlock()
	if before, marked, _ := s.ends.Get(e); !marked || !before.used {
		s.put(e, began, l)
	}
}

// Settle makes k what it is now: what its record does not say of a version that
// waits, time and what was seen do. That it took effect stays so, and that it ended,
// whatever the clock says later.
func (s *Seen) Settle(k *record.Key, now record.Time) (changed bool) {
	waits := k.Pending()
	if waits == nil || k.RevokedAt != 0 {
		return false
	}
	took, lapsed, created := end{id: k.ID, version: waits.Number}, end{k.ID, waits.Number, waits.ExpiresAt}, waits.CreatedAt
	switch l, marked, _ := s.ends.Get(took); {
	case marked && l.used: // perhaps under a clock that was ahead
		return k.Settle(min(l.at, now), now)
	case marked && !s.clock.Undone(l.began, l.seen):
		return k.Settle(l.at, max(l.at, now))
	case s.has(lapsed):
		k.Lapse()
		return true
	}
	changed = k.Settle(0, now)
	switch v := k.Highest(); {
	case v.ActivatedAt != 0:
		s.took(took, created, lived{at: v.ActivatedAt})
	case v.CancelledAt != 0:
		s.mark(lapsed, created)
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
		s.put(e, began, lived{})
	}
}

func (s *Seen) put(e end, began record.Time, l lived) {
	l.seen = s.clock.Elapsed()
	l.began = l.seen - s.clock.Now().Sub(began).Std()
	s.ends.Put(e, l)
	s.any.Store(true)
}

func (s *Seen) has(e end) bool {
	l, marked, _ := s.ends.Get(e)
	return marked && !s.clock.Undone(l.began, l.seen)
}
