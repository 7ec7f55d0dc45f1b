package cache

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkRings holds every part to its invariant: map and ring are the same
// entries, each knows its place, and there are no more than allowed.
func checkRings[K comparable, V any](t *testing.T, c *Cache[K, V]) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		if len(s.ring) != len(s.entries) || s.weight > s.capacity && len(s.ring) != 1 {
			t.Errorf("part %d: %d in the ring, %d in the map, %d allowed", i, len(s.ring), len(s.entries), s.capacity)
		}
		weight := 0
		for at, e := range s.ring {
			weight += e.weight
			if e.at != at || s.entries[e.key] != e {
				t.Errorf("part %d: the entry at %d says it is at %d", i, at, e.at)
			}
		}
		if weight != s.weight {
			t.Errorf("part %d: it weighs %d and thinks %d", i, weight, s.weight)
		}
	}
}

func TestTheBoundHolds(t *testing.T) {
	t.Parallel()
	for _, size := range []int{-1, 0, 1, 63, 64, 65, 100, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			most := max(1, (size+shardCount-1)/shardCount) * shardCount
			c := New[int, int](size)
			for i := range 30 * most {
				c.Put(i, i)
				if i%3 == 0 {
					c.Get(i)
				}
			}
			if c.Len() != most {
				t.Errorf("it holds %d, not %d", c.Len(), most)
			}
			c.Measure("x", func(figure string, value float64, _ ...string) {
				if figure == "cache_evictions_total" && value != float64(29*most) {
					t.Errorf("of %d it has let go of %v", 30*most, value)
				}
			})
			checkRings(t, c)
		})
	}
}

func TestANewBoundHoldsAtOnce(t *testing.T) {
	t.Parallel()
	c := New[int, int](6400)
	for i := range 20_000 {
		c.Put(i, i)
	}
	for _, size := range []int{640, 64, 6400} {
		before := c.Len()
		c.Resize(size)
		if want := min(before, size); c.Len() != want {
			t.Errorf("resized to %d it holds %d", size, c.Len())
		}
		checkRings(t, c)
	}
	for i := range 20_000 {
		c.Put(i, i)
	}
	if c.Len() != 6400 {
		t.Errorf("enlarged again it holds %d", c.Len())
	}
}

func TestWhatIsReadStays(t *testing.T) {
	t.Parallel()
	c := New[int, int](16 * shardCount)
	for hot := range 16 {
		c.Put(hot, hot)
	}
	for i := range 2000 {
		for hot := range 16 {
			if _, ok, _ := c.Get(hot); !ok {
				t.Fatalf("%d was pushed out although it is read all the time", hot)
			}
		}
		c.Put(1000+i, i)
	}
}

// part is one part of a cache by itself, where order can be seen.
func part(capacity int, keys ...string) *shard[string, int] {
	s := &shard[string, int]{entries: make(map[string]*entry[string, int]), capacity: capacity}
	for _, k := range keys {
		s.set(k, 0, 1)
	}
	return s
}

func (s *shard[K, V]) keys() (keys []K) {
	for k := range s.entries {
		keys = append(keys, k)
	}
	return keys
}

func TestWhoMakesRoom(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(s *shard[string, int])
		want []string
	}{
		"the oldest, when nothing is read": {
			func(s *shard[string, int]) { s.set("e", 0, 1) },
			[]string{"b", "c", "d", "e"},
		},
		"all that were there before, one by one": {
			func(s *shard[string, int]) {
				for _, k := range []string{"e", "f", "g", "h"} {
					s.set(k, 0, 1)
				}
			},
			[]string{"e", "f", "g", "h"},
		},
		"not one that was read": {
			func(s *shard[string, int]) { s.entries["a"].used.Store(true); s.set("e", 0, 1) },
			[]string{"a", "c", "d", "e"},
		},
		"one that was read, when all were": {
			func(s *shard[string, int]) {
				for _, e := range s.entries {
					e.used.Store(true)
				}
				s.set("e", 0, 1)
			},
			[]string{"b", "c", "d", "e"},
		},
		"nobody, for a new value of an old key": {
			func(s *shard[string, int]) { s.set("c", 1, 1) },
			[]string{"a", "b", "c", "d"},
		},
		"nobody, where one was dropped": {
			func(s *shard[string, int]) { s.remove(s.entries["b"]); s.set("e", 0, 1) },
			[]string{"a", "c", "d", "e"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := part(4, "a", "b", "c", "d")
			tc.do(s)
			if got := slices.Sorted(slices.Values(s.keys())); !slices.Equal(got, tc.want) {
				t.Errorf("left are %v, want %v", got, tc.want)
			}
		})
	}
}

func TestANewValueIsAsMuchInUseAsTheOld(t *testing.T) {
	t.Parallel()
	s := part(4, "a", "b", "c", "d")
	s.entries["a"].used.Store(true)
	s.set("a", 1, 1)
	s.set("e", 0, 1)
	if e, ok := s.entries["a"]; !ok || e.value != 1 {
		t.Error("a key in use was pushed out after it changed")
	}
}

// Entries of all sizes come, change and go: what they weigh together stays within
// the bound, but for one that is alone in its part.
func TestHeavyEntriesCountForSeveral(t *testing.T) {
	t.Parallel()
	const size = 10 * shardCount
	c := NewWeighed[int](size, func(weight int) int { return weight })
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 50_000 {
		key := random.IntN(3000)
		switch random.IntN(10) {
		case 0:
			c.Drop(key)
		case 1:
			c.Get(key)
		default:
			c.Put(key, 1+random.IntN(4)*random.IntN(4)+random.IntN(100)/99*30)
		}
		if i%5000 == 0 {
			checkRings(t, c)
			c.Resize(size - i/1000)
		}
	}
	checkRings(t, c)
	if c.Len() < 2*shardCount {
		t.Errorf("it holds %d", c.Len())
	}
}

func TestAHeavyNewcomerTakesTheRoomOfSeveralOfTheOldest(t *testing.T) {
	t.Parallel()
	s := part(6, "a", "b", "c", "d", "e", "f")
	s.entries["b"].used.Store(true)
	s.set("heavy", 0, 3)
	if got := slices.Sorted(slices.Values(s.keys())); !slices.Equal(got, []string{"b", "e", "f", "heavy"}) {
		t.Errorf("left are %v", got)
	}
	s.set("whale", 0, 100)
	if got := s.keys(); !slices.Equal(got, []string{"whale"}) || s.weight != 100 {
		t.Errorf("beside one that is too heavy for all are %v", got)
	}
	s.set("a", 0, 1)
	if got := s.keys(); !slices.Equal(got, []string{"a"}) || s.weight != 1 {
		t.Errorf("after it are %v", got)
	}
}
