package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// parkedMemory measures what one more parked poll takes in Vault and in the
// plugin: that of very many, against that of none on the same connections.
func parkedMemory(t *runner, p gatePlan) {
	out := newListing(fmt.Sprintf("Memory of a parked poll, by %d of them, with its connection, KiB (a fresh Vault each time)", p.parked),
		"round", "Vault resident", "Vault heap and stacks", "goroutines in Vault", "plugin resident", "all resident")
	defer out.Flush()
	for round := range p.drains {
		b := newGateBed(t, p)
		b.listen(10).stop()
		before := b.weigh()
		a := b.listen(p.parked)
		time.Sleep(10 * time.Second)
		after := b.weigh()
		a.stop()
		each := func(i int) float64 { return (after[i] - before[i]) / float64(p.parked) }
		out.line(fmt.Sprint(round+1), short(each(0)), short(each(1)), short(each(2)), short(each(3)), short(each(0)+each(3)))
	}
}

var figureOf = regexp.MustCompile(`# (HeapAlloc|Stack) = (\d+)|goroutine profile: total (\d+)`)

// weigh is, in KiB: Vault's resident memory, what is in use of it after a
// collection, its goroutines, and the plugin's resident memory.
func (b *gateBed) weigh() (w [4]float64) {
	get := func(path string) [][][]byte {
		return figureOf.FindAllSubmatch(b.server.Expect(b.t, http.StatusOK, http.MethodGet, "sys/pprof/"+path, nil).Raw, -1)
	}
	for _, found := range get("heap?debug=1&gc=1") {
		n, err := strconv.ParseFloat(string(found[2]), 64)
		b.t.must(err)
		w[1] += n / 1024
	}
	for _, found := range get("goroutine?debug=1") {
		n, err := strconv.ParseFloat(string(found[3]), 64)
		b.t.must(err)
		w[2] = n
	}
	vault, plugin := b.servers()
	for at, p := range map[int]process{0: vault, 3: plugin} {
		mebibytes, err := p.resident()
		b.t.must(err)
		w[at] = 1024 * mebibytes
	}
	return w
}
