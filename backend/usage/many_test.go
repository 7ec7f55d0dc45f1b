package usage_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Touches while flushes run, and while some of these fail: in the end every key's
// last use is stored, and no reader ever saw one move back.
func TestTouchesAndFlushesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	const keys, rounds = 50, 400
	d := newDisk()
	tr := tracker(d)
	var touching, flushing sync.WaitGroup
	done := make(chan struct{})
	for w := range 4 {
		touching.Go(func() {
			for i := range rounds {
				id := fmt.Sprintf("%02d", (i*7+w)%keys)
				touch(tr, id, 1+w%2, record.Time(1001+i))
				if i%9 == 0 {
					_, _ = tr.Usage(context.Background(), record.OfOwner("acme"))
				}
				before, _ := tr.Uses(context.Background(), id)
				after, _ := tr.Uses(context.Background(), id)
				if after.Last < before.Last {
					t.Errorf("a use moved back from %d to %d", before.Last, after.Last)
				}
			}
		})
	}
	flushing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			d.mu.Lock()
			d.broken = i%3 == 0
			d.mu.Unlock()
			_ = tr.Flush(context.Background(), 0)
		}
	})
	touching.Wait()
	close(done)
	flushing.Wait()
	d.broken = false
	if err := tr.Flush(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	want := usages{}
	for w := range 4 {
		for i := range rounds {
			id := fmt.Sprintf("%02d", (i*7+w)%keys)
			u := new(record.Usage)
			u.Count(record.Decided{Code: "valid", Valid: true, Version: 1 + w%2, At: record.Time(1001 + i)})
			want.add(usages{record.OfKey(id): u, record.OfOwner("acme"): u, record.Mount: u})
		}
	}
	for of, u := range want {
		if got := d.stored[of]; got == nil || !reflect.DeepEqual(*got, *u) {
			t.Errorf("of %s is stored %+v, want %+v", of, got, u)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	tr := tracker(newDisk())
	b.ReportAllocs()
	for b.Loop() {
		touch(tr, "3kTMd9Xq2LwVb7Rc", 1, 1500)
	}
}

func TestToCountAgainAllocatesNothing(t *testing.T) {
	tr := tracker(newDisk())
	touch(tr, "a", 1, 1500)
	if allocs := testing.AllocsPerRun(100, func() { touch(tr, "a", 1, 1500) }); allocs != 0 {
		t.Errorf("it allocates %.1f times", allocs)
	}
}
