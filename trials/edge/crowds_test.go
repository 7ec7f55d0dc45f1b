package edge_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/edge"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// busiest is an Upstream that knows how many questions about keys were at Vault at a time.
type busiest struct {
	edge.Upstream
	now, most atomic.Int64
}

func (b *busiest) Resolve(ctx context.Context, role string, a wire.Ask) (wire.Told, error) {
	now := b.now.Add(1)
	defer b.now.Add(-1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
	}
	return b.Upstream.Resolve(ctx, role, a)
}

// Many gates that start at once, and again lose their leader at once, cost Vault one write
// at a time, and each asks about its keys one batch at a time; all of them go on.
func TestManyGatesStartAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, keys = 200, 20
		v := newVault(t)
		v.m.Must("roles/web", map[string]any{"generate_lease": false})
		var texts []string
		for range keys {
			_, text := v.issue(nil)
			texts = append(texts, text)
		}
		var proofs atomic.Int64
		v.m.Storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
			if c.Method == "put" && c.Path == "feed-term" {
				proofs.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
			effect()
			return nil
		})
		t.Cleanup(func() { v.m.Storage.Intercept(nil) })
		var gates []*gate
		var ups []*busiest
		for n := range many {
			g := &gate{name: fmt.Sprint("gate-", n), net: newNetwork(v, uint64(n)), machine: &machine{born: time.Now()}}
			up := &busiest{Upstream: g.net}
			g.net.set(fine)
			g.Mirror = edge.New(up, settings(g.name), g.machine)
			gates, ups = append(gates, g), append(ups, up)
		}
		end := run(gates)
		defer end()
		for _, what := range []string{"at the start", "after a failover"} {
			if what != "at the start" {
				v.restart()
			}
			proofs.Store(0)
			began := time.Now()
			time.Sleep(2 * time.Second)
			var all sync.WaitGroup
			for _, g := range gates {
				for _, text := range texts {
					all.Go(func() {
						if r := g.ask(question{text: text}); r.code() != verify.Valid {
							t.Errorf("%s gate %s answers %v", what, g.name, r)
						}
					})
				}
			}
			all.Wait()
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s all keys of all gates are answered after %v", what, took)
			}
			if n := proofs.Load(); n > 2*time.Second.Milliseconds()/20 || n == 0 {
				t.Errorf("%s they cost %d writes", what, n)
			}
			t.Logf("%s %d gates cost %d writes", what, many, proofs.Load())
		}
		for n, up := range ups {
			if most := up.most.Load(); most > 1 {
				t.Errorf("gate %d asks %d batches at a time", n, most)
			}
		}
	})
}

// run lets gates learn until they are ended.
func run(gates []*gate) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, g := range gates {
		all.Go(func() { _ = g.Run(ctx) })
	}
	return func() {
		cancel()
		all.Wait()
		time.Sleep(6 * time.Second) // an answer about quotas is waited for beyond the end
	}
}

// A revocation of more keys than a feed remembers reaches a gate that listens, whole, and
// leaves it as large as it was.
func TestARevocationOfManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 100_000
		s := newScene(t, nil)
		_, goodText := s.issue(nil)
		s.g.is(t, goodText, verify.Valid)
		warm := newHammer(t, s.g, question{text: goodText}, 20*time.Millisecond)
		before := heap()
		for n := range many {
			if n == many/2 {
				s.m.Must("revoke/"+s.id, nil)
			}
			s.m.Backend.InvalidateKey(t.Context(), fmt.Sprintf("key/%02d/%016d", n%100, n))
			if n%1000 == 999 {
				time.Sleep(100 * time.Millisecond) // raft makes no more
			}
		}
		time.Sleep(time.Second)
		s.g.is(t, s.text, verify.Revoked)
		s.g.is(t, goodText, verify.Valid)
		warm.only(t, "meanwhile", time.Time{}, time.Now().Add(-time.Second), "valid")
		if cursor, ok := wire.ParseCursor(s.g.Status().Cursor); !ok || cursor.Sequence < many {
			t.Errorf("it has heard up to %v", cursor)
		}
		if resets := s.g.figure("resets_total"); resets != 0 {
			t.Errorf("a gate that listens was reset %v times", resets)
		}
		if grew := heap() - before; grew > 16<<20 {
			t.Errorf("it takes %d MiB more", grew>>20)
		}
	})
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
