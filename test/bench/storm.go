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
// hashed.
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

	b.out.section(fmt.Sprintf("A storm of %d cold keys a second, %.0f warm ones a second, open loop", coldRate, rate))
	plugin := b.process()
	before, err := plugin.resident()
	b.t.must(err)
	b.t.must(plugin.forgetPeak())
	var p50, p99, quiet50, quiet99 []float64
	hashed, refused := 0, 0
	for range b.plan.rounds {
		latencies, _ := b.stream(warm, rate, b.plan.storm)
		quiet50 = append(quiet50, ms(quantile(latencies, 0.5)))
		quiet99 = append(quiet99, ms(quantile(latencies, 0.99)))
		done := make(chan struct{})
		go func() {
			defer close(done)
			all, busy := b.stream(storm, coldRate, b.plan.storm)
			hashed, refused = hashed+len(all)-busy, refused+busy
		}()
		latencies, _ = b.stream(warm, rate, b.plan.storm)
		<-done
		p50 = append(p50, ms(quantile(latencies, 0.5)))
		p99 = append(p99, ms(quantile(latencies, 0.99)))
	}
	b.out.row(row{what: "warm p50 in the storm / quiet", ratios: ratios(p50, quiet50), a: p50, b: quiet50, unit: "ms"})
	b.out.row(row{what: "warm p99 in the storm / quiet", ratios: ratios(p99, quiet99), a: p99, b: quiet99, unit: "ms", target: target{most: 3}})
	b.out.note("of the cold keys %d were answered, %d refused as busy", hashed, refused)
	b.memory(plugin, before)
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
