package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// versus prints one rival held against another, the ratio first.
type versus struct{ listing }

func newVersus(title string) versus {
	return versus{newListing(title, "A / B", "min .. max", "by cores", "A", "B", "core-µs A: nginx, decider, load", "core-µs B", "callers", "A / B")}
}

func (l versus) row(callers int, a, b *rival) {
	rates := func(r *rival) []float64 { return each(r.turns, func(t turn) float64 { return t.rate }) }
	cores := func(r *rival) []float64 {
		return each(r.turns, func(t turn) float64 { return t.front + t.decides + t.load })
	}
	of := ratios(rates(a), rates(b))
	refused := ""
	if a.busy+b.busy > 0 {
		refused = fmt.Sprintf(" (refused as busy: %d, %d)", a.busy, b.busy)
	}
	l.line(short(median(of)), short(slices.Min(of))+" .. "+short(slices.Max(of)), short(median(ratios(cores(b), cores(a)))), short(median(rates(a))), short(median(rates(b))),
		a.cores(), b.cores(), fmt.Sprint(callers), a.name+" / "+b.name+refused)
}

// cores are the medians of the processor time of one request.
func (r *rival) cores() string {
	of := func(what func(turn) float64) string { return short(median(each(r.turns, what))) }
	front, decides := "-", "-"
	if r.front != nil {
		front = of(func(t turn) float64 { return t.front })
	}
	if r.decides != nil {
		decides = of(func(t turn) float64 { return t.decides })
	}
	return strings.Join([]string{front, decides, of(func(t turn) float64 { return t.load })}, ", ")
}

func each(turns []turn, what func(turn) float64) (all []float64) {
	for _, t := range turns {
		all = append(all, what(t))
	}
	return all
}

// contend holds the gate against the map at each of its doors and, if so asked,
// against what else decides about keys, in turns in a closed loop.
func (s *street) contend(of crowded, callers []int, everything bool) {
	out := newVersus("The gate's doors: " + of.name + ", requests/s in a closed loop")
	defer out.Flush()
	rivals := append(s.behind[:], s.alone[:]...)
	if everything {
		rivals = append(append(rivals, s.grpc[:]...), s.others[:]...)
	}
	for _, n := range callers {
		s.compete(n, of, rivals...)
		out.row(n, s.behind[0], s.behind[1])
		out.row(n, s.alone[0], s.alone[1])
		if everything {
			out.row(n, s.grpc[0], s.grpc[1])
			out.row(n, s.grpc[0], s.grpc[2])
			out.row(n, s.alone[0], s.others[0])
			out.row(n, s.behind[0], s.others[1])
		}
	}
}

// latencies measures at half of what the gate does with 32 callers, in an open loop.
func (s *street) latencies(of crowded) {
	out := newListing("The gate's doors: "+of.name+", ms at half of the gate's load, open loop",
		"p99 A / B", "requests/s", "p50 A", "p50 B", "p99 A", "p99 B", "A / B")
	defer out.Flush()
	for _, pair := range [][2]*rival{s.behind, s.alone} {
		s.compete(32, of, pair[0], pair[1])
		rate := median(each(pair[0].turns, func(t turn) float64 { return t.rate })) / 2
		var p50, p99 [2][]float64
		for round := range s.plan.doors.rounds {
			for at := range pair {
				i := (at + round) % len(pair)
				took := s.steadily(pair[i], of, rate, s.plan.doors.steady)
				p50[i], p99[i] = append(p50[i], ms(quantile(took, 0.5))), append(p99[i], ms(quantile(took, 0.99)))
			}
		}
		out.line(short(median(ratios(p99[0], p99[1]))), short(rate), short(median(p50[0])), short(median(p50[1])),
			short(median(p99[0])), short(median(p99[1])), pair[0].name+" / "+pair[1].name)
	}
}

// changing holds the gate, while keys that it holds change, against itself while
// none does. It reports to Vault, and confirms what it holds, in both.
func (s *street) changing(of crowded) {
	out := newVersus("The gate's doors: " + of.name + ", with changes and without, requests/s with 32 callers")
	defer out.Flush()
	for _, r := range []*rival{s.behind[0], s.alone[0]} {
		changing, still := *r, *r
		changing.turns, still.turns, changing.busy, still.busy = nil, nil, 0, 0
		asking, changes := r.dial(32), 0
		for round := range s.plan.doors.rounds {
			for turn := range 2 {
				if (round+turn)%2 == 0 {
					still.turns = append(still.turns, s.turn(&still, asking, of, s.plan.doors.steady))
					continue
				}
				stop := s.change(of.holders)
				changing.turns = append(changing.turns, s.turn(&changing, asking, of, s.plan.doors.steady))
				changes += stop()
			}
		}
		s.leave(asking)
		lasted := time.Duration(s.plan.doors.rounds) * s.plan.doors.steady
		changing.name, still.name = fmt.Sprintf("%s with %s changes a second", r.name, short(float64(changes)/lasted.Seconds())), "without"
		out.row(32, &changing, &still)
	}
}

// changesEach second are made, where Vault has the time for as many.
const changesEach = 10

// change changes keys, one after the other, until stop, which answers how many.
func (s *street) change(holders []holder) (stop func() int) {
	ended, failed, n := make(chan struct{}), make(chan any), 0
	go func() {
		defer func() { failed <- recover() }()
		tick := time.NewTicker(time.Second / changesEach)
		defer tick.Stop()
		for ; ; n++ {
			select {
			case <-ended:
				return
			case at := <-tick.C:
				h := holders[rand.IntN(len(holders))]
				s.server.Expect(s.t, http.StatusOK, http.MethodPost, gateMount+"/keys/"+h.ID, map[string]any{"name": fmt.Sprint("changed at ", at.UnixNano())})
			}
		}
	}()
	return func() int {
		close(ended)
		if failure := <-failed; failure != nil {
			panic(failure)
		}
		return n
	}
}
