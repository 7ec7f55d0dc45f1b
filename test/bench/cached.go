package main

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
)

// perKey is what a key may take in memory: its record, when it was last used,
// and its proof.
const perKey = 2 << 10

// cached fills the caches of a mount, and then asks for as many keys again: what
// is kept must be small, and must not grow.
func cached(t *runner, out *table, m *mount, ids []string) {
	size := record.DefaultConfig().VerifyCacheSize
	if len(ids) < 2*size {
		t.Fatalf("there are %d records, too few to fill a cache of %d twice", len(ids), size)
	}
	proofs := proof.New(size)
	fill := func(ids []string) float64 {
		for i, id := range ids {
			m.do(t, logical.ReadOperation, "keys/"+id, nil)
			proofs.Add(apikey.Present(id), keyhash.Stored(strconv.Itoa(i)))
		}
		return heap()
	}
	empty := heap()
	filled := fill(ids[:size]) - empty
	again := fill(ids[size:2*size]) - empty
	runtime.KeepAlive(ids) // so that it counts each time
	if proofs.Len() > size+size/50 {
		t.Fatalf("there are %d proofs in a cache of %d", proofs.Len(), size)
	}
	one := func(v float64) []float64 { return []float64{v} }
	each := filled * (1 << 20) / float64(size)
	out.row(row{what: "heap for each cached key, its record and proof / what it may take", ratios: one(each / perKey), a: one(each), b: one(perKey), unit: "bytes", target: target{most: 1}})
	out.row(row{what: fmt.Sprintf("heap of the caches after %d keys / after the %d that fit", 2*size, size), ratios: one(again / filled), a: one(again), b: one(filled), unit: "MiB", target: target{most: 1.05}})
}
