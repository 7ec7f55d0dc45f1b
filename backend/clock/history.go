package clock

import (
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Kind says what became of a jump of the wall clock.
type Kind int

// The kinds. The zero Kind is none of them.
const (
	Doubted  Kind = iota + 1 // the wall clock jumped, and the mount did not
	Resolved                 // it came back: nothing has changed
	Believed                 // it stayed, and the mount's time has jumped after it
)

// Change is news of the wall clock.
type Change struct {
	Kind Kind
	By   time.Duration // how far ahead of the mount's time the wall clock is or was; negative behind
}

// history is what a clock remembers of jumps that it believed. A line is the
// stretch from one to the next. It is guarded by the clock's lock.
type history struct {
	lineBegan time.Duration // machine time
	ahead     bool          // the present line comes from a jump forward
	aheadFrom time.Duration // machine time of the first jump forward that was not undone
	aheadLast time.Duration // and of the last
	before    int64         // the offset before the first
	undone    []span        // of machine time
	wrong     *wrong
	backs     int
}

type span struct{ from, to time.Duration }

// wrong is a stretch of the mount's time that was proven wrong: a jump forward
// began it, and the clock came back to where it had been.
type wrong struct {
	from, to record.Time
	by       record.Seconds
}

const (
	// sameOffset is how near a clock must come to where it was before a jump
	// forward to say that the jump was wrong.
	sameOffset = time.Minute
	// slowest is how long a decision may take that was begun in another line.
	slowest = 10 * time.Second
	// maxUndone bounds how many stretches are remembered.
	maxUndone = 16
)

// turn begins a new line.
func (h *history) turn(machine time.Duration, old, offset int64) {
	if offset > old {
		if !h.ahead {
			h.ahead, h.aheadFrom, h.before = true, machine, old
		}
		h.aheadLast = machine
	} else {
		h.backs++
		if h.ahead && time.Duration(offset-h.before).Abs() <= sameOffset {
			h.ahead = false
			to := record.Time((int64(machine) + old) / int64(time.Second))
			h.wrong = &wrong{
				from: to.Add(-record.InSeconds(machine - h.lineBegan)),
				to:   to,
				by:   record.InSeconds(time.Duration(old - offset)),
			}
			h.undone = append(h.undone, span{h.aheadFrom, machine + slowest})
			h.undone = h.undone[max(0, len(h.undone)-maxUndone):]
		}
	}
	h.lineBegan = machine
}

// Settled tells whether the mount's time is good enough to remove for good what
// ended this long ago: the wall clock agrees with it, and no jump forward makes
// it look longer than it was.
func (c *Clock) Settled(ago record.Seconds) bool {
	c.nanoseconds()
	machine := c.Elapsed()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubt == nil && (!c.ahead || machine-c.aheadLast >= ago.Std())
}

// Undone tells whether what began and was seen to end at these moments of the
// machine's clock was seen by a time that never was: the end lies in a line that
// began with a jump forward which was taken back whole, and the beginning before
// it. What also began there has ended all the same.
func (c *Clock) Undone(began, seen time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.undone, func(s span) bool { return began < s.from && seen >= s.from && seen <= s.to })
}

// TakenBack counts how often the mount's time went back.
func (c *Clock) TakenBack() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.backs
}

// Dated is the moment that was written down as t: what it says, unless it lies
// ahead, by more than the clocks of nodes differ, in a stretch that was proven
// wrong.
//
// What lies ahead for another reason stays as it is. Whether the clock of today
// is right, or that by which it was written, nobody can tell, and a node that was
// started under a clock years behind must not date all keys back.
func (c *Clock) Dated(t record.Time) record.Time {
	now := c.Now()
	if t <= now.Add(record.InSeconds(Patience)) {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.wrong; w != nil && t >= w.from && t <= w.to {
		return min(t.Add(-w.by), now)
	}
	return t
}
