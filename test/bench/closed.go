package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// contest lets contenders take turns and answers the throughput of each in each
// round, in items per second.
type contest struct {
	concurrency int
	contenders  []*contender
	rates       [][]float64 // by contender and round
	efforts     [][]float64 // processor time of Vault and the plugins, in µs per item
}

func (b *bed) contest(concurrency int, contenders ...*contender) *contest {
	c := &contest{concurrency: concurrency, contenders: contenders, rates: make([][]float64, len(contenders)), efforts: make([][]float64, len(contenders))}
	servers := b.process().parent().family()
	lines := b.lines(concurrency)
	defer hangUp(lines)
	for _, one := range contenders {
		if one.most == 0 {
			b.pace(lines, one, b.plan.slice/3) // to open what is opened once
		}
	}
	for round := range b.plan.rounds {
		for turn := range contenders {
			i := (turn + round) % len(contenders)
			before := b.effort(servers)
			rate, items := b.pace(lines, contenders[i], b.plan.slice)
			c.rates[i] = append(c.rates[i], rate)
			c.efforts[i] = append(c.efforts[i], 1e6*(b.effort(servers)-before).Seconds()/items)
		}
	}
	return c
}

// effort is the processor time that these processes have used.
func (b *bed) effort(processes []process) (total time.Duration) {
	for _, p := range processes {
		used, err := p.cpu()
		b.t.must(err)
		total += used
	}
	return total
}

// pace is the throughput of a closed loop over the lines. It counts to the last
// answer, so a call under way at the end of the slice counts with its whole time.
func (b *bed) pace(lines []*line, c *contender, slice time.Duration) (rate, items float64) {
	var group sync.WaitGroup
	var calls, done atomic.Int64
	failed := make(chan error, len(lines))
	began := time.Now()
	for _, l := range lines {
		group.Go(func() {
			for time.Since(began) < slice && (c.most == 0 || calls.Add(1) <= c.most) {
				request := c.next()
				if request == nil {
					return
				}
				if err := c.call(l, request); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	select {
	case err := <-failed:
		b.t.Fatal(err)
	default:
	}
	if done.Load() == 0 {
		b.t.Fatalf("%s: nothing left to send", c.name)
	}
	items = float64(done.Load()) * c.size()
	return items / took.Seconds(), items
}

// lines are fresh connections: Vault closes those that were idle for minutes.
func (b *bed) lines(n int) []*line {
	lines := make([]*line, n)
	for i := range lines {
		var err error
		lines[i], err = b.client.dial()
		b.t.must(err)
	}
	return lines
}

func hangUp(lines []*line) {
	for _, l := range lines {
		l.Close()
	}
}
