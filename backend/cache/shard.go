package cache

import (
	"sync"
	"sync/atomic"
)

// shard is a part of a cache, under a lock of its own.
type shard[K comparable, V any] struct {
	mu       sync.RWMutex
	entries  map[K]*entry[K, V]
	ring     []*entry[K, V] // the entries in the order of the clock's hand
	hand     int
	capacity int
	weight   int    // of all entries
	changes  uint64 // counts what Put, Drop and Clear did
	evicted  uint64 // of entries, for want of room

	hits, misses atomic.Uint64 // of Get; under the lock that readers share
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int
	at     int         // its place in the ring
	used   atomic.Bool // read since the hand last passed
}

func (s *shard[K, V]) set(key K, value V, weight int) {
	if e, ok := s.entries[key]; ok {
		s.weight += weight - e.weight
		e.value, e.weight = value, weight
		s.shrink()
		return
	}
	e := &entry[K, V]{key: key, value: value, weight: weight}
	s.entries[key] = e
	s.weight += weight
	for s.weight > s.capacity && len(s.ring) > 0 {
		victim := s.victim()
		if s.weight-victim.weight > s.capacity && len(s.ring) > 1 {
			s.pass(victim)
			continue
		}
		// In the last victim's place and behind the hand: whatever else is there
		// has its turn before the newcomer.
		e.at = s.hand
		s.ring[e.at] = e
		s.hand++
		s.evicted++
		s.forget(victim)
		return
	}
	e.at = len(s.ring)
	s.ring = append(s.ring, e)
}

// shrink lets go of what is too much.
func (s *shard[K, V]) shrink() {
	for s.weight > s.capacity && len(s.ring) > 1 {
		s.pass(s.victim())
	}
}

// pass removes what the hand points to, and moves on: what came into its place is
// from the other end, and not next.
func (s *shard[K, V]) pass(victim *entry[K, V]) {
	s.remove(victim)
	s.evicted++
	s.hand++
}

// victim moves the hand to the first entry that was not read since it passed
// last.
func (s *shard[K, V]) victim() *entry[K, V] {
	for {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		if e := s.ring[s.hand]; !e.used.Swap(false) {
			return e
		}
		s.hand++
	}
}

// remove takes e out of the ring by moving the last entry into its place.
func (s *shard[K, V]) remove(e *entry[K, V]) {
	last := s.ring[len(s.ring)-1]
	s.ring[e.at] = last
	last.at = e.at
	s.ring[len(s.ring)-1] = nil
	s.ring = s.ring[:len(s.ring)-1]
	s.forget(e)
}

func (s *shard[K, V]) forget(e *entry[K, V]) {
	delete(s.entries, e.key)
	s.weight -= e.weight
}
