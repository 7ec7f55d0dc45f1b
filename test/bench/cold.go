package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// cold measures how long a gate that has just started takes until it has answered
// about many keys that it does not know, asked about by as many connections as a crowd of
// gateways has: where the engine has their proofs, and where it hashes each.
func cold(t *runner, p gatePlan) {
	b := newGateBed(t, p)
	out := newListing("A gate that has just started; first sight of a key, from the question to its verdict, ms",
		slices.Concat([]string{"engine", "keys", "asked", "seconds until all", "p50", "p99", "max", "503 before", "calls to Vault"}, metered)...)
	defer out.Flush()
	known, hashed := b.crowd(p.fresh), b.minted(p.hashed)
	first := b.start(1)
	first.learn(known, http.StatusOK)
	first.end()
	b.first(out, "knows them", known[:min(len(known), maxAlone)], "one after the other", 1)
	b.first(out, "knows them", known, "at once", min(len(known), atOnce))
	b.server.Reload(t)
	b.first(out, "hashes each", hashed, "at once", min(len(hashed), atOnce))
}

// minted are keys of the role web that the engine has made, and has to hash.
func (b *gateBed) minted(n int) (holders []holder) {
	root := &bed{t: b.t, client: client{b.client.address, b.server.Token}}
	for _, k := range root.issue(gateMount+"/issue/web", n) {
		holders = append(holders, holder{Text: k.Text, ID: k.ID})
	}
	return holders
}

const (
	// maxAlone bounds how many keys are asked about one after the other.
	maxAlone = 500
	// atOnce bounds how many connections ask, as a gate bounds those of a listener.
	atOnce = 2500
)

// first has a gate of its own asked about keys, so many at a time.
func (b *gateBed) first(out listing, engine string, keys []holder, how string, callers int) {
	g := b.start(1)
	defer g.end()
	lines := make([]*brief, callers)
	for i := range lines {
		var err error
		lines[i], err = dialBrief(g.all[0].Address)
		b.t.must(err)
		defer lines[i].Close()
	}
	next := questions(keys)
	var group sync.WaitGroup
	var index, refused atomic.Int64
	took := make([]time.Duration, len(keys))
	failed := make(chan error, callers)
	m, began := g.meter(), time.Now()
	for _, a := range lines {
		group.Go(func() {
			for i := index.Add(1) - 1; i < int64(len(keys)); i = index.Add(1) - 1 {
				asked := time.Now()
				for {
					status, err := a.ask(next(i))
					if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
						failed <- fmt.Errorf("a good key is answered %d, %v", status, err)
						return
					}
					if status == http.StatusOK {
						break
					}
					refused.Add(1)
					time.Sleep(time.Second) // as Retry-After says
				}
				took[i] = time.Since(asked)
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		b.t.Fatal(err)
	default:
	}
	all, cores := time.Since(began), m.cores()
	calls := g.figure(0, "apikeys_gate_upstream_calls_total", `path="gate/resolve`)
	out.line(slices.Concat([]string{engine, fmt.Sprint(len(keys)), how, short(all.Seconds())}, quantiles(took),
		[]string{fmt.Sprint(refused.Load()), fmt.Sprint(calls)}, cores)...)
}
