package main

import (
	"fmt"
	"math"
	"net/http"
	"runtime"
	"time"
)

// heldGoal is what a key may take, in bytes.
const heldGoal = 1.3 * 1024

// few is how many keys it holds to begin with.
const few = 100

// heldMemory measures what a gate takes with so many keys held. Its heap is what is
// in use after a collection, which questions bring about.
func heldMemory(t *runner, p gatePlan) {
	b := newGateBed(t, p)
	holders := b.crowd(p.keys[len(p.keys)-1] + few)
	first, keys := holders[:few], holders[few:]
	g := b.start(1)
	out := newListing(fmt.Sprintf("Memory of a gate, of at most %.0f bytes a key; each has an owner, a name and three scopes", heldGoal),
		"keys asked about", "held", "heap in use MiB", "resident MiB", "heap a key, bytes", "reached", "resident a key, bytes")
	defer out.Flush()
	g.learn(first, http.StatusOK)
	none, resident := g.weigh(first)
	out.line(fmt.Sprint(few), fmt.Sprint(few), short(none/1024/1024), short(resident/1024/1024))
	asked := 0
	for _, n := range p.keys {
		g.learn(keys[asked:n], http.StatusOK)
		asked = n
		holds := g.figure(0, "apikeys_gate_cache_entries", `cache="keys"`)
		heap, now := g.weigh(first)
		each := (heap - none) / (holds - few)
		out.line(fmt.Sprint(n), fmt.Sprint(holds), short(heap/1024/1024), short(now/1024/1024), short(each), target{most: heldGoal}.verdict(each), short((now-resident)/(holds-100)))
	}
}

// weigh is a gate's heap after a collection, and what is resident, in bytes. What it
// was asked is reported by then, and it is asked about few keys until it has
// collected twice.
func (g *beside) weigh(few []holder) (heap, resident float64) {
	time.Sleep(11 * time.Second) // uses are gathered for ten
	count := func() float64 { return g.figure(0, "go_gc_duration_seconds_count", "") }
	before := count()
	end := make(chan struct{})
	defer close(end)
	go func() {
		for range runtime.NumCPU() {
			go func() {
				a, err := dialBrief(g.all[0].Address)
				next := questions(few)
				for i := int64(0); err == nil; i++ {
					select {
					case <-end:
						a.Close()
						return
					default:
						_, err = a.ask(next(i))
					}
				}
			}()
		}
	}()
	heap = math.Inf(1)
	for deadline := time.Now().Add(time.Minute); count() < before+3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.bed.t.Fatal("a gate does not collect")
		}
		if count() > before+1 {
			heap = min(heap, g.figure(0, "go_memstats_heap_alloc_bytes", ""))
		}
	}
	mebibytes, err := process(g.all[0].PID()).resident()
	g.bed.t.must(err)
	return heap, mebibytes * 1024 * 1024
}
