package main

import "fmt"

// growth shows what more keys, larger batches and more callers cost.
func (b *bed) growth(tiny, many *keyring) {
	b.out.section("How cost grows")
	contenders := []*contender{
		b.verifies(fmt.Sprintf("warm verify among %d keys", many.size), "many/verify/plain", many.warm, nil, valid),
		b.verifies(fmt.Sprintf("warm verify among %d keys", tiny.size), "tiny/verify/plain", tiny.warm, nil, valid),
	}
	b.out.row(b.contest(8, contenders...).throughput(0, 1, target{least: 0.95}))
	last := len(b.byBatch) - 1
	for i := 1; i < 1+4*len(batchSizes); i += 4 {
		b.out.row(b.byBatch[last].perItem(i, 0))
	}
	runs := b.byConcurrency[len(b.byConcurrency)-3:]
	for _, c := range runs[1:] {
		b.out.row(row{
			what:   fmt.Sprintf("throughput of verify, %d callers / 1 caller", c.concurrency),
			ratios: ratios(c.rates[0], runs[0].rates[0]), a: c.rates[0], b: runs[0].rates[0], unit: "keys/s",
		})
	}
}

// perItem is a row of the time that one item costs the server in all, a's in
// units of b's.
func (c *contest) perItem(a, b int) row {
	each := func(i int) (micros []float64) {
		for _, rate := range c.rates[i] {
			micros = append(micros, 1e6/rate)
		}
		return micros
	}
	return row{
		what:   "time per key, " + c.contenders[a].name + " / " + c.contenders[b].name,
		ratios: ratios(c.rates[b], c.rates[a]), a: each(a), b: each(b), unit: "µs",
	}
}
