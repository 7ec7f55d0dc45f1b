package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
)

// batchCallers is how many callers send batches at once, and single calls beside
// them.
const batchCallers = 16

var batchSizes = []int{10, 100, 1000}

// batches measures keys per second against single calls and the floor's batch.
func (b *bed) batches(k *keyring) {
	contenders := []*contender{b.verifies("single calls", k.mount+"/verify/plain", k.warm, nil, valid)}
	for _, size := range batchSizes {
		for _, brief := range []bool{false, true} {
			form, floor := "full", "floor/verify/plain"
			if brief {
				form, floor = "brief", "floor/verify/brief"
			}
			name := fmt.Sprintf("batch of %d, %s", size, form)
			contenders = append(contenders,
				b.batch(name, k.mount+"/verify/plain", k.warm, size, brief),
				b.batch("floor's "+name, floor, k.warm, size, brief))
		}
	}
	// The largest, against a floor that answers in the engine's form as well.
	largest := batchSizes[len(batchSizes)-1]
	ordinary := len(contenders)
	for _, form := range []string{"plain", "brief"} {
		contenders = append(contenders, b.batch(fmt.Sprintf("floor's batch of %d, %s, passed on", largest, form), "floor/verify/passed-on-"+form, k.warm, largest, form == "brief"))
	}
	b.out.section(fmt.Sprintf("Batches, %d keys, %d callers at once", k.size, batchCallers))
	c := b.contest(batchCallers, contenders...)
	for i := 1; i < ordinary; i += 2 {
		var toFloor, toSingle target
		if full := i%4 == 1; contenders[i].items == 1000 {
			toSingle.least = 30
			if full {
				toFloor.least, toSingle.least = 0.7, 10
			}
		}
		b.out.row(c.throughput(i, i+1, toFloor))
		b.out.row(c.throughput(i, 0, toSingle))
	}
	b.out.row(c.throughput(ordinary-4, ordinary, target{}))   // full
	b.out.row(c.throughput(ordinary-2, ordinary+1, target{})) // brief
	b.byBatch = append(b.byBatch, c)
}

// batch is a few different batches of random keys.
func (b *bed) batch(name, path string, keys []key, size int, brief bool) *contender {
	requests := make([][]byte, 4)
	for i := range requests {
		items := make([]map[string]any, size)
		for j := range items {
			items[j] = map[string]any{"key": keys[rand.IntN(len(keys))].Text}
			if brief {
				items[j]["brief"] = true
			}
		}
		requests[i] = b.client.request(http.MethodPost, path, map[string]any{"batch_input": items})
	}
	return &contender{name: name, next: anyOf(requests...), want: valid, items: size}
}
