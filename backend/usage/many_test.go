package usage_test

import (
	"context"
	"fmt"
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
				tr.Touch(id, 1+w%2, record.Time(1001+i))
				before, _ := tr.Uses(context.Background(), id)
				after, _ := tr.Uses(context.Background(), id)
				if after.Latest() < before.Latest() {
					t.Errorf("a use moved back from %d to %d", before.Latest(), after.Latest())
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
	want := map[string]record.Uses{}
	for w := range 4 {
		for i := range rounds {
			id := fmt.Sprintf("%02d", (i*7+w)%keys)
			want[id] = want[id].Add(record.Use{Version: 1 + w%2, At: record.Time(1001 + i)})
		}
	}
	for id, u := range want {
		if fmt.Sprint(d.stored[id]) != fmt.Sprint(u) {
			t.Errorf("of %s is stored %v, want %v", id, d.stored[id], u)
		}
	}
}

func BenchmarkTouch(b *testing.B) {
	tr := tracker(newDisk())
	b.ReportAllocs()
	for b.Loop() {
		tr.Touch("3kTMd9Xq2LwVb7Rc", 1, 1500)
	}
}

func TestATouchWithinASecondAllocatesNothing(t *testing.T) {
	tr := tracker(newDisk())
	tr.Touch("a", 1, 1500)
	if allocs := testing.AllocsPerRun(100, func() { tr.Touch("a", 1, 1500) }); allocs != 0 {
		t.Errorf("it allocates %.1f times", allocs)
	}
}
