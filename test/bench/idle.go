package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// alone measures what a gate that nobody asks asks of Vault, with many keys held. It
// is counted on the way there, and what else than a poll it is. What it confirms of
// what it holds begins minutes later, and is counted by a test of backend/edge.
func alone(t *runner, p gatePlan) {
	b := newGateBed(t, p)
	holders := b.crowd(p.fresh)
	calls := make(map[string]int)
	var mu sync.Mutex
	g := b.startAt(1, b.server.Tap(t, func(path string, _ []byte) {
		mu.Lock()
		defer mu.Unlock()
		calls[strings.TrimPrefix(path, "/v1/")]++
	}))
	g.learn(holders, http.StatusOK)
	time.Sleep(15 * time.Second) // until its uses are reported
	mu.Lock()
	clear(calls)
	mu.Unlock()
	m, began := g.meter(), time.Now()
	time.Sleep(p.alone)
	mu.Lock()
	defer mu.Unlock()
	took, all := time.Since(began).Seconds(), 0
	for _, n := range calls {
		all += n
	}
	out := newListing(fmt.Sprintf("A gate that holds %.0f keys and is asked about none", g.figure(0, "apikeys_gate_cache_entries", `cache="keys"`)),
		slices.Concat([]string{"seconds", "calls to Vault a second", "reached", "of these polls"}, metered)...)
	defer out.Flush()
	rate := float64(all) / took
	out.line(append([]string{short(took), fmt.Sprintf("%.3f", rate), target{most: 1.05}.verdict(rate), fmt.Sprint(calls[gateMount+"/gate/changes"])}, m.cores()...)...)
}
