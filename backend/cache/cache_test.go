package cache

import (
	"sync"
	"testing"
)

// get is the value of a key that must be there, or not.
func get(c *Cache[int, string], key int) (string, bool) {
	v, ok, _ := c.Get(key)
	return v, ok
}

func TestWhatWasPutIsRead(t *testing.T) {
	t.Parallel()
	c := New[int, string](100)
	if v, ok := get(c, 1); ok || v != "" {
		t.Errorf("an empty cache has %q", v)
	}
	c.Put(1, "one")
	c.Put(2, "two")
	c.Put(1, "uno")
	for key, want := range map[int]string{1: "uno", 2: "two"} {
		if v, ok := get(c, key); !ok || v != want {
			t.Errorf("%d is %q, %v", key, v, ok)
		}
	}
	if c.Len() != 2 {
		t.Errorf("it counts %d entries", c.Len())
	}
	c.Drop(1)
	c.Drop(3)
	if _, ok := get(c, 1); ok {
		t.Error("a dropped entry is still there")
	}
	if v, _ := get(c, 2); v != "two" {
		t.Error("a drop took another entry along")
	}
	c.Clear()
	if _, ok := get(c, 2); ok || c.Len() != 0 {
		t.Error("something outlived a clear")
	}
}

func TestALoadIsTakenInUnlessSomethingChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(c *Cache[int, string])
		want      string
		found     bool
	}{
		"nothing happened":          {func(*Cache[int, string]) {}, "loaded", true},
		"another load was taken in": {func(c *Cache[int, string]) { _, _, tk := c.Get(1); c.Fill(1, "other load", tk) }, "loaded", true},
		"the bound changed":         {func(c *Cache[int, string]) { c.Resize(1000) }, "loaded", true},
		"a writer put it":           {func(c *Cache[int, string]) { c.Put(1, "written") }, "written", true},
		"an invalidation dropped it, although it was not there": {func(c *Cache[int, string]) { c.Drop(1) }, "", false},
		"everything was cleared":                                {func(c *Cache[int, string]) { c.Clear() }, "", false},
		"a writer put it and an invalidation dropped it":        {func(c *Cache[int, string]) { c.Put(1, "written"); c.Drop(1) }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New[int, string](1000)
			_, _, ticket := c.Get(1)
			tc.meanwhile(c)
			c.Fill(1, "loaded", ticket)
			if v, ok := get(c, 1); v != tc.want || ok != tc.found {
				t.Errorf("got %q, %v", v, ok)
			}
		})
	}
}

func TestALoadFromBeforeAnEvictionIsStillGood(t *testing.T) {
	t.Parallel()
	c := New[int, string](1)
	_, _, ticket := c.Get(0)
	for i := 1; i < 1000; i++ {
		_, _, other := c.Get(i)
		c.Fill(i, "other", other)
	}
	c.Fill(0, "loaded", ticket)
	if v, _ := get(c, 0); v != "loaded" {
		t.Error("making room voided a load")
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	c := New[string, string](1000)
	c.Put("there", "value")
	for _, key := range []string{"there", "not there"} {
		if n := testing.AllocsPerRun(100, func() { c.Get(key) }); n != 0 {
			t.Errorf("a read of what is %s allocates %v times", key, n)
		}
	}
}

// A writer changes the truth and then the cache; loaders read the truth and fill
// the cache. Once the writer has returned nobody may read an older value.
func TestNoReaderSeesWhatAWriterReplaced(t *testing.T) {
	t.Parallel()
	c := New[int, int](1000)
	var truth struct {
		sync.Mutex
		value int
	}
	load := func() int {
		v, ok, ticket := c.Get(7)
		if ok {
			return v
		}
		truth.Lock()
		v = truth.value
		truth.Unlock()
		c.Fill(7, v, ticket)
		return v
	}
	stop := make(chan struct{})
	var loaders sync.WaitGroup
	for range 4 {
		loaders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					load()
				}
			}
		})
	}
	for i := 1; i <= 2000; i++ {
		truth.Lock()
		truth.value = i
		truth.Unlock()
		if i%2 == 0 {
			c.Put(7, i)
		} else {
			c.Drop(7)
		}
		if got := load(); got != i {
			t.Errorf("after write %d a reader saw %d", i, got)
			break
		}
	}
	close(stop)
	loaders.Wait()
}

func TestAllOperationsAtOnceKeepTheBound(t *testing.T) {
	t.Parallel()
	const size = 256
	c := New[int, int](size)
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			for i := range 2000 {
				key := (i*7 + w*13) % 1000
				switch i % 8 {
				case 0:
					c.Put(key, key)
				case 1:
					c.Drop(key)
				case 2:
					if i%800 == 2 {
						c.Clear()
					}
					c.Resize(size - w)
				default:
					v, ok, ticket := c.Get(key)
					if ok && v != key {
						t.Errorf("%d holds the value of %d", key, v)
					}
					if !ok {
						c.Fill(key, key, ticket)
					}
				}
			}
		})
	}
	workers.Wait()
	if c.Len() > size {
		t.Errorf("%d entries in a cache of %d", c.Len(), size)
	}
	checkRings(t, c)
}

func BenchmarkGet(b *testing.B) {
	c := New[string, int](1000)
	c.Put("there", 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, _ := c.Get("there"); !ok {
			b.Fatal("gone")
		}
	}
}
