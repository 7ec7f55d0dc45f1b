package main

import (
	"fmt"
	"net/http"
	"runtime"
	"time"

	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// coldRate is how many cold keys come in a second: several times what one core
// can hash.
const coldRate = 100

// storm measures warm keys while cold ones arrive faster than they can be
// hashed. Hashes take a core, so beside quiet times it is held against times in
// which another program takes a core and as many more warm keys arrive: what is
// slower then is the machine's doing.
func (b *bed) storm(k *keyring) {
	cold := make([][]byte, len(k.cold))
	for i, one := range k.cold {
		cold[i] = b.client.request(http.MethodPost, k.mount+"/verify/plain", map[string]any{"key": one.Text})
	}
	next, back := eachOf(cold)
	storm := &contender{name: "cold key", next: next, busy: back, want: valid}
	warm := b.verifies("warm key", k.mount+"/verify/plain", k.warm, nil, valid)
	// A load that leaves the cores room: latency at the limit is queueing.
	lines := b.lines(8)
	rate, _ := b.pace(lines, warm, b.plan.slice)
	hangUp(lines)
	rate /= 5

	b.out.section(fmt.Sprintf("A storm of %d cold keys a second, %.0f warm ones a second, %d keys, open loop", coldRate, rate, k.size))
	plugin := b.process()
	before, err := plugin.resident()
	b.t.must(err)
	b.t.must(plugin.forgetPeak())
	hashed, refused := 0, 0
	weathers := []*weather{
		{meanwhile: func() {}},
		{meanwhile: func() {
			all, busy := b.stream(storm, coldRate, b.plan.storm)
			hashed, refused = hashed+len(all)-busy, refused+busy
		}},
		{meanwhile: func() {
			stop := b.takeCore()
			defer stop()
			b.stream(warm, coldRate, b.plan.storm)
		}},
	}
	for round := range b.plan.rounds {
		for turn := range weathers {
			weathers[(turn+round)%len(weathers)].endure(b, warm, rate)
		}
	}
	quiet, stormy, taken := weathers[0], weathers[1], weathers[2]
	b.out.row(row{what: "warm p50 in the storm / quiet", ratios: ratios(stormy.p50, quiet.p50), a: stormy.p50, b: quiet.p50, unit: "ms"})
	b.out.row(row{what: "warm p99 in the storm / quiet", ratios: ratios(stormy.p99, quiet.p99), a: stormy.p99, b: quiet.p99, unit: "ms", target: target{most: 3}})
	b.out.row(row{what: "warm p99 beside a program that takes a core / quiet", ratios: ratios(taken.p99, quiet.p99), a: taken.p99, b: quiet.p99, unit: "ms"})
	b.out.row(row{what: "warm p99 in the storm / beside that program", ratios: ratios(stormy.p99, taken.p99), a: stormy.p99, b: taken.p99, unit: "ms"})
	b.out.note("of the cold keys %d were answered, %d refused as busy", hashed, refused)
	b.memory(plugin, before)
}

// weather is what goes on beside the warm keys, and their latencies in ms by
// round.
type weather struct {
	meanwhile func()
	p50, p99  []float64
}

func (w *weather) endure(b *bed, warm *contender, rate float64) {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		w.meanwhile()
	}()
	latencies, _ := b.stream(warm, rate, b.plan.storm)
	if failed := <-done; failed != nil {
		panic(failed)
	}
	w.p50 = append(w.p50, ms(quantile(latencies, 0.5)))
	w.p99 = append(w.p99, ms(quantile(latencies, 0.99)))
}

// memory holds the plugin's peak against where it was.
func (b *bed) memory(plugin process, before float64) {
	peak, err := plugin.peak()
	b.t.must(err)
	perRun := float64(keyhash.DefaultParams().MemoryKiB) / 1024
	slots := max(1, min(float64(runtime.NumCPU()-1), 256/perRun))
	allowed := before + 2*slots*perRun + 64
	one := func(v float64) []float64 { return []float64{v} }
	b.out.row(row{what: "the plugin's peak memory / what it may take", ratios: one(peak / allowed), a: one(peak), b: one(allowed), unit: "MiB", target: target{most: 1}})
	b.out.note("the plugin had %.0f MiB before the storm", before)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
