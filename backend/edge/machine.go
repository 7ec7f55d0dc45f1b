package edge

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/clock"
)

// Machine is the machine's own clocks, which count and cannot be set.
type Machine interface {
	Monotonic() time.Duration // stands still while the machine is suspended
	Boottime() time.Duration  // does not
}

// System is the machine that this process runs on.
func System() Machine { return system{time.Now()} }

type system struct{ born time.Time }

func (s system) Monotonic() time.Duration { return time.Since(s.born) }

func (s system) Boottime() time.Duration {
	asleep := clock.Asleep() // first: what passes between the two is no sleep
	return s.Monotonic() + asleep
}

const (
	// lookEvery is how often it is looked for a suspension: each look is a system call,
	// which is too much for each question.
	lookEvery = 50 * time.Millisecond
	// nap is what two clocks that are read one after the other may differ by.
	nap = 10 * time.Millisecond
)

// now is how long the machine has run, its sleep included as far as it was noticed.
func (m *Mirror) now() time.Duration {
	return m.machine.Monotonic() + time.Duration(m.asleep.Load())
}

// watch looks out for suspensions.
func (m *Mirror) watch(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.look()
		}
	}
}

// look notices a suspension. Whatever was known before it is stale until the next poll,
// which is sent at once: while the machine slept the world went on.
func (m *Mirror) look() {
	asleep := int64(m.machine.Boottime() - m.machine.Monotonic())
	before := m.asleep.Load()
	if asleep-before < int64(nap) || !m.asleep.CompareAndSwap(before, asleep) {
		return
	}
	m.feed.suspend()
	m.settings.Load().Logger.Warn("the machine was suspended", "for", time.Duration(asleep-before))
}
