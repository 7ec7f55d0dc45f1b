package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// callers is how many requests of an open loop may be under way. Those that
// find no caller free wait, and the wait is part of their latency.
const callers = 128

// stream sends requests at an even rate for a time, whatever the server does,
// and answers the latencies in order of size. busy counts the requests that were
// refused as busy.
func (b *bed) stream(c *contender, rate float64, lasting time.Duration) (latencies []time.Duration, busy int) {
	count := int64(rate * lasting.Seconds())
	gap := time.Duration(float64(time.Second) / rate)
	lines := b.lines(min(callers, int(count)))
	defer hangUp(lines)
	var group sync.WaitGroup
	var mu sync.Mutex
	var index atomic.Int64
	var failed error
	began := time.Now()
	one := func(l *line, due time.Time) (more bool) {
		time.Sleep(time.Until(due))
		err := c.ask(l)
		took := time.Since(due)
		mu.Lock()
		defer mu.Unlock()
		latencies = append(latencies, took)
		if err == errBusy {
			busy++
		} else if err != nil {
			failed = err
		}
		return failed == nil
	}
	for _, l := range lines {
		group.Go(func() {
			for i := index.Add(1) - 1; i < count && one(l, began.Add(time.Duration(i)*gap)); i = index.Add(1) - 1 {
			}
		})
	}
	group.Wait()
	b.t.must(failed)
	slices.Sort(latencies)
	return latencies, busy
}

// quantile of what is sorted.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
