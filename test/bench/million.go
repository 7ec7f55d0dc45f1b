package main

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// million measures a mount on a storage with very many records, in this process
// and on Vault's in-memory storage: all but a few are copies of a real record
// under other ids, written past the engine.
func million(t *runner, p plan, out *table) {
	few, many := new(logical.InmemStorage), new(logical.InmemStorage)
	small, large := newMount(t, few), newMount(t, many)
	genuine := [2]key{small.issue(t), large.issue(t)}
	ids := clone(t, many, genuine[1].ID, p.stored)

	out.section(fmt.Sprintf("%d records in storage, in-process", p.stored))
	before := heap()
	began := time.Now()
	large = newMount(t, many) // as after a restart
	if !large.verify(t, genuine[1].Text) {
		t.Fatal("the key among many does not verify")
	}
	first := time.Since(began)
	began = time.Now()
	small = newMount(t, few)
	small.verify(t, genuine[0].Text)
	one := func(d time.Duration) []float64 { return []float64{ms(d)} }
	reference := time.Since(began)
	out.row(row{what: "restart to first verify / among one record (both with one Argon2)", ratios: []float64{float64(first) / float64(reference)}, a: one(first), b: one(reference), unit: "ms"})
	pages(t, p, out, large)
	after := heap()
	out.note("the mount took %.1f MiB of memory for this, beside the storage", after-before)

	var rates [2][]float64
	mounts := []*mount{large, small}
	for round := range 3 * p.rounds { // a few percent show in many short slices only
		for turn := range mounts {
			i := (turn + round) % len(mounts)
			rates[i] = append(rates[i], mounts[i].pace(t, genuine[1-i].Text, p.slice/4))
		}
	}
	out.row(row{what: "warm verify among many records / among one", ratios: ratios(rates[0], rates[1]), a: rates[0], b: rates[1], unit: "keys/s", target: target{least: 0.95}})
	cached(t, out, large, ids)
	runtime.KeepAlive(many)
}

// clone writes copies of a record under random ids, which it answers.
func clone(t *runner, storage *logical.InmemStorage, id string, n int) (ids []string) {
	path := func(id string) string { return "key/" + id[:2] + "/" + id }
	entry, err := storage.Get(background, path(id))
	t.must(err)
	if entry == nil {
		t.Fatal("the record is not where this program looks for it")
	}
	text := string(entry.Value)
	for range n {
		other, err := apikey.NewID(rand.Reader)
		t.must(err)
		value := []byte(strings.ReplaceAll(text, id, other))
		t.must(storage.Underlying().Put(background, &physical.Entry{Key: path(other), Value: value}))
		ids = append(ids, other)
	}
	return ids
}

// pages lists a thousand keys from the middle, of many and, for what a page
// costs by itself, a tenth as many.
func pages(t *runner, p plan, out *table, m *mount) {
	page := func(limit int) (took []float64) {
		for range p.rounds {
			began := time.Now()
			m.do(t, logical.ListOperation, "keys/", map[string]any{"after": "U", "limit": limit})
			took = append(took, ms(time.Since(began)))
		}
		return took
	}
	long, short := page(1000), page(100)
	out.row(row{what: "page of 1000 keys from the middle / page of 100", ratios: ratios(long, short), a: long, b: short, unit: "ms"})
}

// pace is the mount's throughput without Vault, from one caller. Garbage is
// collected before and not meanwhile: the storage, which is Vault's where there
// is one, would be walked each time.
func (m *mount) pace(t *runner, text string, slice time.Duration) float64 {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	n := 0
	began := time.Now()
	for time.Since(began) < slice {
		if !m.verify(t, text) {
			t.Fatal("a warm key does not verify")
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds()
}

// heap is what is reachable, in MiB.
func heap() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / (1 << 20)
}
