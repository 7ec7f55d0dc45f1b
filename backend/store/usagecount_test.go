package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// counters plays at random with the counters of one mount, on storage that fails before and
// after it did what it was asked, and in processes that end without a word.
type counters struct {
	*testing.T
	rand *rand.Rand
	disk *memory.Storage
	s    *store.Store
	now  record.Time

	subjects     []record.Subject
	all, durable map[record.Subject]int64
}

// trouble fails one call in so many, half of them when they took effect: also the
// read that should find that out.
func (c *counters) trouble(oneIn int) {
	c.disk.Intercept(func(_ context.Context, _ memory.Call, effect func()) error {
		switch n := c.rand.IntN(2 * oneIn); n {
		case 0:
			return errDisk
		case 1:
			effect()
			return errDisk
		}
		effect()
		return nil
	})
}

// decide counts decisions of keys, and with them of owner and mount.
func (c *counters) decide() {
	sums := map[record.Subject]*record.Usage{}
	for range 1 + c.rand.IntN(4) {
		for _, of := range []record.Subject{c.subjects[2+c.rand.IntN(len(c.subjects)-2)], record.OfOwner("acme"), record.Mount} {
			if sums[of] == nil {
				sums[of] = new(record.Usage)
			}
			sums[of].Count(record.Decided{Code: "valid", Valid: true, Version: 1, At: c.now})
			c.all[of]++
		}
	}
	c.s.AddUsage(sums)
}

func (c *counters) of(s *store.Store, of record.Subject) int64 {
	c.Helper()
	u, err := s.Usage(context.Background(), of)
	if err != nil {
		c.Fatal(err)
	}
	return u.Codes.Total()
}

func (c *counters) flush() {
	if c.s.WriteUsage(context.Background(), c.now) == nil {
		for of, n := range c.all {
			c.durable[of] = n
		}
	}
}

// exact holds what this process says: whatever became of its writes, all that was
// decided is counted once.
func (c *counters) exact(when string) {
	c.Helper()
	c.disk.Intercept(nil)
	for _, of := range c.subjects {
		if n := c.of(c.s, of); n != c.all[of] {
			c.Fatalf("%s %s has %d of %d decisions", when, of, n, c.all[of])
		}
	}
}

// crash begins the next process: it has all that a flush said it wrote, and nothing
// twice.
func (c *counters) crash() {
	c.Helper()
	c.disk.Intercept(nil)
	c.s = store.New(c.disk)
	keys := int64(0)
	for i := len(c.subjects) - 1; i >= 0; i-- {
		of := c.subjects[i]
		n := c.of(c.s, of)
		if n < c.durable[of] || n > c.all[of] {
			c.Fatalf("after a crash %s has %d decisions, %d were written of %d", of, n, c.durable[of], c.all[of])
		}
		if _, isKey := of.Key(); isKey {
			keys += n
		} else if n < keys {
			c.Fatalf("after a crash %s has %d decisions, its keys %d", of, n, keys)
		}
		c.all[of], c.durable[of] = n, n
	}
}

func TestEachDecisionIsCountedOnceWhateverFails(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		c := &counters{
			T: t, rand: rand.New(rand.NewPCG(seed, 7)), now: 1_000_000,
			subjects: []record.Subject{record.Mount, record.OfOwner("acme")},
			all:      map[record.Subject]int64{}, durable: map[record.Subject]int64{},
		}
		var ids []string
		for n := range 5 {
			ids = append(ids, idIn(fmt.Sprintf("a%d", n), n))
			c.subjects = append(c.subjects, record.OfKey(ids[n]))
		}
		c.disk, c.s = mount(t, ids...)
		for range 150 {
			c.now += record.Time(c.rand.IntN(5000))
			c.trouble(3 + c.rand.IntN(10))
			switch n := c.rand.IntN(20); {
			case n < 8:
				c.decide()
			case n < 14:
				c.flush()
			case n < 17:
				_ = c.s.CompactUsage(t.Context(), func() {})
			case n < 18:
				_, _ = c.s.SweepUsage(t.Context(), func() {}, c.now, asTheyAre)
			case n < 19:
				c.s.Invalidate("usage/delta/1")
			default:
				c.crash()
			}
			c.exact(fmt.Sprint("seed ", seed, ":"))
		}
		c.flush()
		compact(t, c.s)
		c.crash()
		check(t, c.disk, 0)
	}
}

// A read that finds added counts, and then a base that they were merged into
// meanwhile, counts them once.
func TestWhatIsMergedUnderAReadIsCountedOnce(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	add(s, uses{one: usedAt(1500)})
	merged := false
	d.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
		if c == (memory.Call{Method: "get", Path: "usage/key/aa/" + one}) && !merged {
			merged = true
			flush(t, s, nil)
			compact(t, s)
		}
		effect()
		return nil
	})
	u, err := s.Usage(t.Context(), record.OfKey(one))
	if n := u.Codes.Total(); n != 1 || err != nil || !merged {
		t.Errorf("it counts %d, %v", n, err)
	}
}

func TestAnOwnerIsForgottenWithoutKeysAndAMonthLater(t *testing.T) {
	t.Parallel()
	const month = 31 * 86400
	for name, tc := range map[string]struct {
		hasKeys bool
		after   record.Time
		kept    bool
	}{
		"while it has keys":  {true, 9 * month, true},
		"within the month":   {false, month - 86400, true},
		"after it":           {false, month, false},
		"by a clock that is": {false, -86400, false},
	} {
		d, s := mount(t, one)
		if !tc.hasKeys {
			if _, err := s.DeleteKey(t.Context(), one, func(*record.Key) bool { return false }); err != nil {
				t.Fatal(err)
			}
		}
		const used record.Time = 20_000 * 86400
		var u record.Usage
		u.Count(record.Decided{Code: "expired", At: used})
		s.AddUsage(map[record.Subject]*record.Usage{record.OfOwner("acme"): &u, record.Mount: &u})
		if err := s.WriteUsage(t.Context(), used); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SweepUsage(t.Context(), func() {}, used+tc.after, asTheyAre); err != nil {
			t.Fatal(err)
		}
		if kept := d.Holds("usage/owner/acme") != ""; kept != tc.kept || d.Holds("usage/mount") == "" {
			t.Errorf("%s: kept %t, storage holds %v", name, kept, d.Paths())
		}
	}
}

// Of a flush that is cut off no key has more decisions than its owner.
func TestWhatIsLeftOfAFlushFitsTogether(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	all := map[record.Subject]*record.Usage{record.Mount: {}, record.OfOwner("acme"): {}}
	for n := range 4000 {
		u := usedAt(1500)
		all[record.OfKey(idIn(fmt.Sprintf("%02d", n%100), n))] = u
		all[record.Mount].Add(*u, record.Mount)
		all[record.OfOwner("acme")].Add(*u, record.OfOwner("acme"))
	}
	s.AddUsage(all)
	d.Intercept(memory.Before(memory.On("put", "usage/delta/2", errDisk)))
	if s.WriteUsage(t.Context(), 1500) == nil || d.Holds("usage/delta/1") == "" {
		t.Fatal("it was not cut off")
	}
	d.Intercept(nil)
	for _, of := range []record.Subject{record.Mount, record.OfOwner("acme")} {
		if u, err := store.New(d).Usage(t.Context(), of); err != nil || u.Codes.Total() != 4000 {
			t.Errorf("%s has %d decisions, %v", of, u.Codes.Total(), err)
		}
	}
}
