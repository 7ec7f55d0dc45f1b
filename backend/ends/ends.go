// Package ends remembers which keys and versions were seen to have ended by
// time, so that no later change of a clock revives them in this process. It does not know what ends a key; records say so, and
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

// end is that of a version at a moment.
type end struct {
	id      string
	version int
	at      record.Time
}

// lived is a life or a grace from its beginning to when its end was seen, as the
// clock counts what never jumps. One that lies within a wrong time is over whatever
// time it is: as much has passed.
type lived struct{ began, seen time.Duration }

// New remembers nothing yet.
func New(clock Clock) *Seen {
	return &Seen{clock: clock, ends: cache.New[end, lived](size)}
}

// Note takes down what of a key has ended by now.
func (s *Seen) Note(k *record.Key, now record.Time) {
	if newest := k.Newest(); now >= newest.ExpiresAt {
		s.mark(end{k.ID, newest.Number, newest.ExpiresAt}, newest.CreatedAt)
	}
	for i := range k.Versions[1:] {
		// What has no hash any more can be presented to nobody.
		if v := &k.Versions[i+1]; !v.Hash.None() && now >= v.ValidUntil {
			s.mark(end{k.ID, v.Number, v.ValidUntil}, v.SupersededAt)
		}
	}
}

// Of is what was seen of a key.
func (s *Seen) Of(k *record.Key) (seen record.Seen) {
	if !s.any.Load() {
		return seen
	}
	newest := k.Newest()
	seen.Expired = s.has(end{k.ID, newest.Number, newest.ExpiresAt})
	for i := range k.Versions[1:] {
		v := &k.Versions[i+1]
		if !v.Hash.None() && s.has(end{k.ID, v.Number, v.ValidUntil}) {
			seen.Superseded = append(seen.Superseded, v.Number)
		}
	}
	return seen
}

func (s *Seen) mark(e end, began record.Time) {
	if s.has(e) {
		return
	}
	seen := s.clock.Elapsed()
	s.ends.Put(e, lived{seen - s.clock.Now().Sub(began).Std(), seen})
	s.any.Store(true)
}

func (s *Seen) has(e end) bool {
	l, marked, _ := s.ends.Get(e)
	return marked && !s.clock.Undone(l.began, l.seen)
}
