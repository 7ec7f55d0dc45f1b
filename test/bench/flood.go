package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

const (
	floodRate  = 20_000 // forged keys a second
	warmRate   = 1000   // questions about known keys a second beside them
	healthRate = 50     // questions a second to sys/health
)

// source is where forged keys come from, and how many of them a gate may ask Vault
// about: at once, and a second.
type source struct {
	what        string
	address     func(i int64) string // nil where there are none
	burst, rate float64
}

var sources = []source{
	{what: "none"},
	{"of one address", func(int64) string { return "198.51.100.7" }, 200, 20},
	{"of many", func(i int64) string { return fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255) }, 5000, 500},
}

// flood measures what known keys and Vault notice of very many forged ones at a gate:
// each other than the others, of the right form, half of them with the id of a living
// key. What reaches Vault is counted on the way there. Each source has a gate of its
// own, whose budget is not used.
func flood(t *runner, p gatePlan) {
	b := newGateBed(t, p)
	known := b.crowd(1000)
	out := newListing(fmt.Sprintf("Forged keys at one gate, %d a second for %v, beside %d questions a second about known keys", floodRate, p.flood, warmRate),
		slices.Concat([]string{"forged keys", "a second", "401", "503", "other", "at Vault", "may be", "known keys a second", "refused", "p50 ms", "p99", "max",
			"sys/health p50 ms", "p99", "max", "gate's peak MiB"}, metered)...)
	defer out.Flush()
	for _, from := range sources {
		b.flooded(out, from, known)
		out.Flush()
	}
}

func (b *gateBed) flooded(out listing, from source, known []holder) {
	var texts atomic.Int64
	g := b.startAt(1, b.server.Tap(b.t, func(path string, body []byte) {
		var asked struct{ Keys []string }
		if strings.Contains(path, "/gate/resolve/") && json.Unmarshal(body, &asked) == nil {
			texts.Add(int64(len(asked.Keys)))
		}
	}))
	defer g.end()
	g.learn(known, http.StatusOK)
	texts.Store(0)
	m := g.meter()
	var forged func() *tally
	if from.address != nil {
		forged = pour(b.t, floodRate, b.plan.flooders, g.addresses(), b.forge(from, known))
	}
	warm := pour(b.t, warmRate, 16, g.addresses(), questions(known))
	health := pour(b.t, healthRate, 8, []string{b.client.address}, func(int64) []byte { return b.client.request(http.MethodGet, "sys/health", nil) })
	time.Sleep(b.plan.flood)
	w, h, cores := warm(), health(), m.cores()
	f := &tally{lasted: w.lasted}
	if forged != nil {
		f = forged()
	}
	peak, err := process(g.all[0].PID()).peak()
	b.t.must(err)
	reached, most := float64(texts.Load()), from.burst+from.rate*f.lasted.Seconds()
	out.line(slices.Concat(
		[]string{from.what, short(f.rate()), fmt.Sprint(f.by[http.StatusUnauthorized]), fmt.Sprint(f.by[http.StatusServiceUnavailable]),
			fmt.Sprint(f.other(http.StatusUnauthorized, http.StatusServiceUnavailable)), fmt.Sprint(reached), fmt.Sprintf("%.0f", most)},
		[]string{short(w.rate()), fmt.Sprint(w.other(http.StatusOK))}, quantiles(w.took), quantiles(h.took), []string{short(peak)}, cores)...)
	if n := h.other(http.StatusOK); n > 0 {
		b.t.Fatalf("sys/health was answered otherwise %d times", n)
	}
}

// forge makes questions about keys that nobody issued.
func (b *gateBed) forge(from source, living []holder) func(i int64) []byte {
	secret := make([]byte, apikey.TagKeyLength)
	rand.Read(secret)
	tagKey, err := apikey.NewTagKey(secret)
	b.t.must(err)
	return func(i int64) []byte {
		id, _ := apikey.NewID(rand.Reader) // the system does not run out of random bytes
		if i%2 == 0 {
			id = living[i%int64(len(living))].ID
		}
		text, _ := apikey.Generate(rand.Reader, tagKey, "vak", id, 1)
		return question(text.Reveal(), from.address(i))
	}
}
