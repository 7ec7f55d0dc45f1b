// Package cache is a bounded map for values that are read far more often than
// they change, and whose truth lies elsewhere.
//
// It is bounded by the weight of its entries, not by their number: where an entry
// can be many times the usual size, a number bounds nothing. Only an entry that is
// heavier than its part of the cache may exceed it, alone.
//
// Reads of different keys do not wait for each other. When it is full, what was
// not read lately makes room (the clock algorithm). A value that was loaded from
// the truth is taken in only if nothing under its lock was changed or dropped
// since the load began, so that a slow load never brings back what a writer or
// an invalidation removed meanwhile.
package cache

import "hash/maphash"

// shardCount is the number of independently locked parts. It is far above the
// number of cores, so that readers rarely touch the same cache line.
const shardCount = 64

// Cache is safe for concurrent use; make one with New.
type Cache[K comparable, V any] struct {
	seed   maphash.Seed
	weigh  func(V) int
	shards [shardCount]shard[K, V]
}

// Ticket marks the moment a load began.
type Ticket struct{ changes uint64 }

// Mark is the moment a load began of values that nobody could name yet.
type Mark [shardCount]Ticket

// New makes a cache of about size entries: size is split evenly between 64
// parts and rounded up.
func New[K comparable, V any](size int) *Cache[K, V] {
	return NewWeighed[K](size, func(V) int { return 1 })
}

// NewWeighed makes a cache of entries that weigh about size together, and at
// least 1 each.
func NewWeighed[K comparable, V any](size int, weigh func(V) int) *Cache[K, V] {
	c := &Cache[K, V]{seed: maphash.MakeSeed(), weigh: weigh}
	for i := range c.shards {
		c.shards[i].entries = make(map[K]*entry[K, V])
	}
	c.Resize(size)
	return c
}

// Get returns the value of key. When there is none, the ticket is for Fill.
func (c *Cache[K, V]) Get(key K) (value V, ok bool, ticket Ticket) {
	s := c.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.entries[key]
	if !ok {
		s.misses.Add(1)
		return value, false, Ticket{s.changes}
	}
	s.hits.Add(1)
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.value, true, Ticket{}
}

// Peek is Get that leaves no trace: neither of the two counts it, nor does it keep
// the entry from making room.
func (c *Cache[K, V]) Peek(key K) (value V, ok bool) {
	value, ok, _ = c.Glance(key)
	return value, ok
}

// Glance is Peek with a ticket, for FillRoom.
func (c *Cache[K, V]) Glance(key K) (value V, ok bool, ticket Ticket) {
	s := c.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, found := s.entries[key]; found {
		return e.value, true, Ticket{}
	}
	return value, false, Ticket{s.changes}
}

// FillRoom is Fill of a value that pushes out no other: it is taken in only where there
// is room.
func (c *Cache[K, V]) FillRoom(key K, value V, ticket Ticket) {
	s, weight := c.shard(key), c.weigh(value)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == ticket.changes && s.weight+weight <= s.capacity {
		s.set(key, value, weight)
	}
}

// Fill takes in a value that was loaded after Get handed out the ticket, unless
// something changed since.
func (c *Cache[K, V]) Fill(key K, value V, ticket Ticket) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == ticket.changes {
		s.set(key, value, c.weigh(value))
	}
}

// Mark is the present moment.
func (c *Cache[K, V]) Mark() (m Mark) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		m[i].changes = s.changes
		s.mu.RUnlock()
	}
	return m
}

// FillSince is Fill of a value that was loaded after the mark. It tells whether the
// value was taken in.
func (c *Cache[K, V]) FillSince(key K, value V, m Mark) bool {
	at := c.at(key)
	s := &c.shards[at]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes != m[at].changes {
		return false
	}
	s.set(key, value, c.weigh(value))
	return true
}

// Put sets the value of key. The caller has written it to the truth.
func (c *Cache[K, V]) Put(key K, value V) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	s.set(key, value, c.weigh(value))
}

// Drop forgets key and voids every load under way.
func (c *Cache[K, V]) Drop(key K) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	if e, ok := s.entries[key]; ok {
		s.remove(e)
	}
}

// Clear forgets everything and voids every load under way.
func (c *Cache[K, V]) Clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.changes++
		clear(s.entries)
		s.ring, s.hand, s.weight = nil, 0, 0
		s.mu.Unlock()
	}
}

// Resize changes the bound; what is too much goes.
func (c *Cache[K, V]) Resize(size int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.capacity = max(1, (size+shardCount-1)/shardCount)
		s.shrink()
		s.mu.Unlock()
	}
}

// Len is the number of entries.
func (c *Cache[K, V]) Len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.ring)
		s.mu.RUnlock()
	}
	return n
}

// Each visits all entries, in no order. The visitor must not use the cache.
func (c *Cache[K, V]) Each(visit func(K, V)) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		for _, e := range s.ring {
			visit(e.key, e.value)
		}
		s.mu.RUnlock()
	}
}

// Measure tells how full the cache is, and how often it was of use, under this name.
func (c *Cache[K, V]) Measure(name string, tell func(figure string, value float64, labels ...string)) {
	var hits, misses, evicted uint64
	capacity := 0
	for i := range c.shards {
		s := &c.shards[i]
		hits, misses = hits+s.hits.Load(), misses+s.misses.Load()
		s.mu.RLock()
		capacity, evicted = capacity+s.capacity, evicted+s.evicted
		s.mu.RUnlock()
	}
	tell("cache_entries", float64(c.Len()), name)
	tell("cache_capacity", float64(capacity), name)
	tell("cache_hits_total", float64(hits), name)
	tell("cache_misses_total", float64(misses), name)
	tell("cache_evictions_total", float64(evicted), name)
}

func (c *Cache[K, V]) shard(key K) *shard[K, V] { return &c.shards[c.at(key)] }

func (c *Cache[K, V]) at(key K) int { return int(maphash.Comparable(c.seed, key) % shardCount) }
