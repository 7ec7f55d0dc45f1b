package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// plan says how long to measure, and of what.
type plan struct {
	rounds int
	slice  time.Duration // of one contender in one round
	storm  time.Duration // a quiet or a stormy time in one round
	tiny   int           // keys of the smallest mount
	few    int           // of the next one
	many   int           // of the largest
	stored int           // records in the in-process storage
}

var (
	full  = plan{rounds: 5, slice: time.Second, storm: 4 * time.Second, tiny: 30, few: 2500, many: 10_000, stored: 1_000_000}
	quick = plan{rounds: 3, slice: 300 * time.Millisecond, storm: 2 * time.Second, tiny: 30, few: 700, many: 1_000, stored: 1_000_000}
)

func choose() (plan, error) {
	p := full
	if os.Getenv("BENCH_QUICK") == "1" {
		p = quick
	}
	if text := os.Getenv("BENCH_KEYS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < p.few {
			return p, fmt.Errorf("BENCH_KEYS=%s is no number of keys from %d up", text, p.few)
		}
		p.many = n
	}
	return p, nil
}

func main() {
	if os.Getenv(burnVariable) != "" {
		burn()
	}
	p, err := choose()
	if err == nil {
		err = run(p, os.Getenv("BENCH_PROFILE"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(p plan, profiles string) (err error) {
	t := new(runner)
	defer t.end(&err)
	if profiles != "" {
		profile(t, p, profiles)
		return nil
	}
	if only := os.Getenv("BENCH_GATE"); only != "" {
		gates(t, only, p == quick)
		return nil
	}
	began := time.Now()
	out := newTable()
	million(t, p, out)
	b := newBed(t, p, out, "")
	tiny := b.keyring("tiny", p.tiny)
	b.everything(b.keyring("few", p.few))
	many := b.keyring("many", p.many)
	b.everything(many)
	b.growth(tiny, many)
	out.end(time.Since(began))
	return nil
}

// everything measures what depends on how many keys a mount has.
func (b *bed) everything(k *keyring) {
	b.single(k)
	b.batches(k)
	b.forged(k)
	b.storm(k)
	b.writes(k)
}
