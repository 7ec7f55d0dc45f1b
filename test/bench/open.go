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
// and answers the latencies in order of size. refused counts the answers that
// were busy ones, where tolerant allows them.
func (b *bed) stream(c *contender, rate float64, lasting time.Duration, tolerant bool) (latencies []time.Duration, refused int) {
	count := int64(rate * lasting.Seconds())
	gap := time.Duration(float64(time.Second) / rate)
	var group sync.WaitGroup
	var mu sync.Mutex
	var index atomic.Int64
	var failed error
	began := time.Now()
	for range min(callers, int(count)) {
		group.Go(func() {
			l, err := b.client.dial()
			if err == nil {
				defer l.Close()
			}
			for i := index.Add(1) - 1; i < count; i = index.Add(1) - 1 {
				due := began.Add(time.Duration(i) * gap)
				time.Sleep(time.Until(due))
				request := c.next()
				if request == nil {
					return
				}
				if err == nil {
					err = c.call(l, request)
				}
				took := time.Since(due)
				mu.Lock()
				if latencies = append(latencies, took); err != nil {
					refused++
					failed = err
				}
				mu.Unlock()
				if err != nil && !tolerant {
					return
				}
				err = nil
			}
		})
	}
	group.Wait()
	if failed != nil && !tolerant {
		b.t.Fatal(failed)
	}
	slices.Sort(latencies)
	return latencies, refused
}

// quantile of what is sorted.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
