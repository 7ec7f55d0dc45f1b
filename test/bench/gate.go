package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// gatePlan says how much to measure of what gates cost. No row is held against a
// target: what is promised is in the tests of test/cluster.
type gatePlan struct {
	crowds  []int         // numbers of gates
	revoked int           // keys that are revoked while they listen, one a second; a third as many by themselves
	idle    time.Duration // for how long they are watched while nothing changes
	parked  int           // polls whose memory is measured
	held    int           // records that a gate has confirmed
	drains  int           // rounds of step-downs and seals
	doors   doorsPlan

	// Of gates that are processes of their own.
	beside []besidePlan  // of revocations
	fresh  int           // keys that a new gate is asked about at once, of which the engine knows the proofs
	hashed int           // likewise, that the engine has to hash
	keys   []int         // numbers of keys whose memory is measured
	flood  time.Duration // of forged keys
	// flooders are how many connections these come by: one that waits for what Vault says
	// of its key asks nothing else meanwhile.
	flooders int
	alone    time.Duration // for which an idle gate is watched
}

var (
	fullGates = gatePlan{crowds: []int{10, 100, 1000}, revoked: 30, idle: 15 * time.Second, parked: 1000, held: 16 * 4096, drains: 3,
		beside: []besidePlan{{1, 1000, 4}, {10, 1000, 4}, {100, 300, 1}}, fresh: 10_000, hashed: 1000, keys: []int{10_000, 100_000}, flood: 20 * time.Second, flooders: 2500, alone: 90 * time.Second,
		doors: doorsPlan{keys: 200_000, fit: 100_000, callers: []int{1, 32, 128}, rounds: 5, slice: time.Second, steady: 4 * time.Second}}
	quickGates = gatePlan{crowds: []int{10, 100, 1000}, revoked: 10, idle: 5 * time.Second, parked: 1000, held: 2 * 4096, drains: 1,
		beside: []besidePlan{{1, 50, 4}, {10, 50, 4}, {100, 15, 1}}, fresh: 2000, hashed: 100, keys: []int{2000, 10_000}, flood: 5 * time.Second, flooders: 1000, alone: 15 * time.Second,
		doors: doorsPlan{keys: 10_000, fit: 10_000, callers: []int{1, 32, 128}, rounds: 3, slice: 300 * time.Millisecond, steady: 2 * time.Second}}
)

// gatePart is a part of what gates cost, by the name that BENCH_GATE asks for it by.
type gatePart struct {
	name    string
	measure func(t *runner, p gatePlan)
}

var gateParts = []gatePart{
	{"reach", reach}, {"memory", parkedMemory}, {"confirm", confirms}, {"drain", drain}, {"doors", doors},
	{"revoked", revoked}, {"cold", cold}, {"held", heldMemory}, {"flood", flood}, {"idle", alone},
}

// gates measures the parts whose names stand in only, or all.
func gates(t *runner, only string, quickly bool) {
	p := fullGates
	if quickly {
		p = quickGates
	}
	for _, part := range gateParts {
		if only == "all" || strings.Contains(only, part.name) {
			part.measure(t, p)
		}
	}
}

// gateBed is a server with one mount, and a token that is a gate's.
type gateBed struct {
	*bed
	plan gatePlan
}

func newGateBed(t *runner, p gatePlan) *gateBed {
	s := harness.Start(t, harness.Options{LogLevel: "warn", Plugin: true})
	s.Mount(t, gateMount, harness.Mount{RequestHeaders: requestHeaders, ResponseHeaders: answerHeaders})
	s.Expect(t, http.StatusOK, http.MethodPost, gateMount+"/roles/plain", map[string]any{"generate_lease": false})
	return &gateBed{&bed{t: t, server: s, client: client{strings.TrimPrefix(s.Address(), "http://"), gateToken(t, s)}}, p}
}

const gateMount = "apikeys"

func gateToken(t *runner, s *harness.Server) string {
	return s.TokenWith(t, `path "apikeys/gate/*" { capabilities = ["update"] }`, map[string]any{"no_default_policy": true})
}

// servers are the processes of Vault and of the plugin.
func (b *gateBed) servers() (vault, plugin process) {
	plugin = b.process()
	return plugin.parent(), plugin
}

// data is that of an answer in Vault's envelope.
func data(body []byte, into any) error {
	return json.Unmarshal(body, &struct{ Data any }{into})
}

// listing prints figures that are no ratios.
type listing struct{ *tabwriter.Writer }

func newListing(title string, columns ...string) listing {
	l := listing{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	fmt.Fprintf(l, "\n%s\n", title)
	l.line(columns...)
	return l
}

func (l listing) line(columns ...string) { fmt.Fprintln(l, strings.Join(columns, "\t")) }

// medianOf are durations in ms, of which it writes the median and the most.
func medianOf(took []float64) string {
	most := 0.0
	for _, ms := range took {
		most = max(most, ms)
	}
	return short(median(took)) + " (" + short(most) + ")"
}
