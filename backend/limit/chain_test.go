package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// both is a rate and a quota.
func both(rate int64, period record.Seconds, quota int64, window record.Seconds) record.Limits {
	return record.Limits{RateLimit: rate, RateLimitPeriod: period, Quota: quota, QuotaPeriod: window}
}

func TestAChainTakesFromAllOrFromNone(t *testing.T) {
	t.Parallel()
	wide := both(1000, 10, 1000, 0)
	for name, tc := range map[string]struct {
		root, parent, child record.Limits
		cost                int64
		want                Outcome
		retryAfter          record.Seconds
	}{
		"where all have room":                     {wide, wide, wide, 5, Allowed, 0},
		"where the root's rate has none":          {rated(4, 10), wide, wide, 5, RateLimited, 0},
		"where the parent's rate has none":        {wide, rated(4, 10), wide, 5, RateLimited, 0},
		"where its own rate has none":             {wide, wide, rated(4, 10), 5, RateLimited, 0},
		"where the root's quota has none":         {quotaOf(4, 0), wide, wide, 5, QuotaExceeded, 0},
		"where the parent's quota has none":       {wide, quotaOf(4, 100), wide, 5, QuotaExceeded, 0},
		"where its own quota has none":            {wide, wide, quotaOf(4, 100), 5, QuotaExceeded, 0},
		"a rate is asked before a quota":          {quotaOf(4, 0), wide, rated(4, 10), 5, RateLimited, 0},
		"without limits above":                    {record.DefaultLimits(), record.DefaultLimits(), wide, 5, Allowed, 0},
		"without limits of its own":               {wide, wide, record.DefaultLimits(), 5, Allowed, 0},
		"a cost of nothing is refused by nobody":  {rated(1, 10), quotaOf(1, 0), wide, 0, Allowed, 0},
		"without any limits, whatever it costs":   {record.DefaultLimits(), record.DefaultLimits(), record.DefaultLimits(), 1 << 62, Allowed, 0},
		"a cost that fits nowhere waits for none": {rated(4, 10), quotaOf(4, 100), rated(4, 10), 5, RateLimited, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMeter(newDisk())
			chain := []Line{lineOf("root", tc.root), lineOf("parent", tc.parent), lineOf("child", tc.child)}
			before := remainders(t, m, chain)
			v := take(t, m, tc.cost, created, chain...)
			if v.Outcome != tc.want || v.RetryAfter != tc.retryAfter {
				t.Errorf("it is %+v", v)
			}
			spent := tc.cost
			if tc.want != Allowed {
				spent = 0
			}
			for i, after := range remainders(t, m, chain) {
				want := before[i]
				if chain[i].Limits.RateLimit > 0 {
					want.Rate -= spent
					want.RateResets = after.RateResets
				}
				if chain[i].Limits.Quota > 0 {
					want.Quota -= spent
				}
				if after != want {
					t.Errorf("of %s there remain %+v, before %+v", chain[i].ID, after, before[i])
				}
			}
		})
	}
}

func remainders(t *testing.T, m *Meter, chain []Line) (all []Remaining) {
	t.Helper()
	for _, line := range chain {
		r, err := m.Peek(t.Context(), line, created)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestARefusalWaitsForTheSlowestOfTheChain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMeter(newDisk())
		slow, fast := lineOf("slow", rated(1, 60)), lineOf("fast", rated(1, 2))
		take(t, m, 1, created, slow, fast)
		for _, chain := range [][]Line{{slow, fast}, {fast, slow}} {
			if v := take(t, m, 1, created, chain...); v.Outcome != RateLimited || v.RetryAfter != 60 {
				t.Errorf("a rate is %+v", v)
			}
		}
		day, hour := lineOf("day", quotaOf(1, 86400)), lineOf("hour", quotaOf(1, 3600))
		take(t, m, 1, created+10, day, hour)
		for _, chain := range [][]Line{{day, hour}, {hour, day}} {
			if v := take(t, m, 1, created+10, chain...); v.Outcome != QuotaExceeded || v.RetryAfter != 86390 {
				t.Errorf("a quota is %+v", v)
			}
		}
		if v := take(t, m, 1, created+10, hour, lineOf("life", quotaOf(1, 0))); v.RetryAfter != 3590 {
			t.Errorf("where only the window is spent it is %+v", v)
		}
		life := lineOf("life", quotaOf(1, 0))
		take(t, m, 1, created+10, life)
		if v := take(t, m, 1, created+10, hour, life); v.Outcome != QuotaExceeded || v.RetryAfter != 0 {
			t.Errorf("where one never refills it is %+v", v)
		}
		time.Sleep(time.Second)
	})
}

func TestARefusalLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		m := NewMeter(d)
		chain := []Line{lineOf("a", both(10, 10, 320, 0)), lineOf("b", both(2, 10, 320, 0)), lineOf("c", both(10, 10, 320, 0))}
		take(t, m, 2, created, chain...)
		before, puts := remainders(t, m, chain), d.puts
		for range 50 {
			if take(t, m, 1, created, chain...).Outcome != RateLimited {
				t.Fatal("it was allowed")
			}
		}
		if after := remainders(t, m, chain); !reflect.DeepEqual(after, before) || d.puts != puts {
			t.Errorf("it was %+v and is %+v, with %d writes", before, after, d.puts-puts)
		}
	})
}

// Families of keys share ancestors. However they overlap, what all of them get
// is what their ancestors hold.
func TestChainsThatShareAncestorsNeitherBlockNorOverspend(t *testing.T) {
	t.Parallel()
	const quota = 2000
	d := newDisk()
	m := NewMeter(d)
	spent := make([]sync.Map, 4)
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 6))
			for range 600 {
				chain := []Line{lineOf("root", quotaOf(quota, 0))}
				for depth := range random.IntN(4) {
					chain = append(chain, lineOf(fmt.Sprint(chain[depth].ID, "-", random.IntN(2)), quotaOf(quota/2, 0)))
				}
				v, err := m.Take(context.Background(), chain, 1, created)
				if err != nil {
					t.Error(err)
				}
				if v.Outcome == Allowed {
					for depth, line := range chain {
						add(&spent[depth], line.ID)
					}
				}
			}
		})
	}
	group.Wait()
	for depth := range spent {
		spent[depth].Range(func(id, n any) bool {
			most := int64(quota)
			if depth > 0 {
				most = quota / 2
			}
			if *n.(*int64) > most {
				t.Errorf("%s spent %d", id, *n.(*int64))
			}
			return true
		})
	}
	if n, _ := spent[0].Load("root"); *n.(*int64) != quota {
		t.Errorf("the root spent %d of %d", *n.(*int64), quota)
	}
}

var adding sync.Mutex

func add(counts *sync.Map, id string) {
	adding.Lock()
	defer adding.Unlock()
	n, _ := counts.LoadOrStore(id, new(int64))
	*n.(*int64)++
}

func TestTroubleWithOneOfAChainSpendsFromNone(t *testing.T) {
	t.Parallel()
	d := newDisk()
	m := NewMeter(d)
	chain := []Line{lineOf("a", both(10, 10, 10, 0)), lineOf("b", quotaOf(10, 0))}
	d.failPut = func(n int) (bool, bool) { return n != 1, n == 1 } // b's
	if v, err := m.Take(t.Context(), chain, 1, created); !errors.Is(err, errDisk) || v != (Verdict{}) {
		t.Fatalf("it is %+v, %v", v, err)
	}
	d.failPut = nil
	for i, r := range remainders(t, m, chain) {
		if r.Quota != 10 || i == 0 && r.Rate != 10 {
			t.Errorf("of %s there remain %+v", chain[i].ID, r)
		}
	}
}
