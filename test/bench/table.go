package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// row is a ratio and what it is of.
type row struct {
	what   string
	ratios []float64 // of A to B, one of each round
	a, b   []float64
	unit   string
	target target
	// effort is the processor time that the servers spent on an item of a, in
	// that for one of b; by round, nil where it was not measured.
	effort []float64
}

// target is what a ratio must reach. The zero target is none.
type target struct {
	least, most float64
}

func (t target) String() string {
	switch {
	case t.least > 0:
		return fmt.Sprintf(">= %.4g", t.least)
	case t.most > 0:
		return fmt.Sprintf("<= %.4g", t.most)
	default:
		return "-"
	}
}

// verdict says whether the ratio reaches the target, or by how much not.
func (t target) verdict(ratio float64) string {
	switch {
	case t == target{}:
		return "-"
	case t.least > 0 && ratio < t.least:
		return fmt.Sprintf("no, %.0f%% short", 100*(t.least-ratio)/t.least)
	case t.most > 0 && ratio > t.most:
		return fmt.Sprintf("no, %.0f%% over", 100*(ratio-t.most)/t.most)
	default:
		return "yes"
	}
}

// table prints rows as they are measured.
type table struct{ missed []string }

func newTable() *table { return new(table) }

func (t *table) section(title string) {
	fmt.Printf("\n%s\n%8s  %-15s %10s %10s  %-8s  %-8s %-14s %-6s %s\n",
		title, "ratio", "min .. max", "A", "B", "unit", "target", "reached", "cpu", "A / B")
}

func (t *table) row(r row) {
	ratio := median(r.ratios)
	verdict := r.target.verdict(ratio)
	effort := "-"
	if r.effort != nil {
		effort = short(median(r.effort))
	}
	line := fmt.Sprintf("%8s  %-15s %10s %10s  %-8s  %-8s %-14s %-6s %s", short(ratio),
		short(slices.Min(r.ratios))+" .. "+short(slices.Max(r.ratios)),
		short(median(r.a)), short(median(r.b)), r.unit, r.target, verdict, effort, r.what)
	fmt.Println(line)
	if verdict != "yes" && verdict != "-" {
		t.missed = append(t.missed, line)
	}
}

// note is a line that is no ratio.
func (t *table) note(format string, args ...any) {
	fmt.Printf("%8s  "+format+"\n", append([]any{""}, args...)...)
}

func (t *table) end(took time.Duration) {
	fmt.Printf("\n%d targets missed, in %s\n", len(t.missed), took.Round(time.Second))
	for _, line := range t.missed {
		fmt.Println(line)
	}
}

// throughput is a row of two contenders of a contest, by their places in it.
func (c *contest) throughput(a, b int, goal target) row {
	return row{
		what:   fmt.Sprintf("%s / %s", c.contenders[a].name, c.contenders[b].name),
		ratios: ratios(c.rates[a], c.rates[b]), a: c.rates[a], b: c.rates[b],
		unit: "keys/s", target: goal, effort: ratios(c.efforts[a], c.efforts[b]),
	}
}

// cost is a row of the time that one call of a takes against one of b.
func (c *contest) cost(a, b int, goal target) row {
	each := func(i int) (micros []float64) {
		for _, rate := range c.rates[i] {
			micros = append(micros, 1e6*float64(c.concurrency)/rate)
		}
		return micros
	}
	r := c.throughput(a, b, goal)
	r.a, r.b, r.unit = each(a), each(b), "µs"
	r.ratios = ratios(r.a, r.b)
	return r
}

func ratios(a, b []float64) (r []float64) {
	for i := range a {
		r = append(r, a[i]/b[i])
	}
	return r
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// short writes three digits.
func short(v float64) string {
	switch {
	case v != 0 && math.Abs(v) < 10:
		return fmt.Sprintf("%.2f", v)
	case math.Abs(v) < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}
