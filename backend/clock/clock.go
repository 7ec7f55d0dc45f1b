// Package clock tells a mount's time, by which all its decisions are made.
//
// Two clocks are at hand. The wall clock says what time it is, and may be wrong:
// it is set by hand, by a daemon, by a hypervisor. The machine's own clock only
// counts, and cannot be set. The mount goes with the wall clock as long as the
// two run alike. When they part, nobody can tell at first whether the wall clock
// was right before or is right now; so the mount goes on from where it was, at
// the machine's pace, and neither jumps nor stands still:
//
//   - Up to Tolerance is a correction. Ahead, it is followed at once; behind, it
//     is waited for at half pace.
//   - More is doubted: it becomes the mount's time when it has lasted for
//     Patience, in either direction. A clock that was wrong for less has changed
//     nothing. Both, the doubt and the belief, are told.
//   - While a machine is suspended, its own clock stands still on some systems.
//     On Linux the time asleep is known, and added. Elsewhere, and where a whole
//     virtual machine was halted, what it slept is doubted as any other jump: a
//     key may then outlive its end by Patience.
//
// A clock that was believed and is then believed to have gone back leaves traces:
// what was dated meanwhile lies ahead. Dated tells where it belongs, where that is
// known, Undone what was seen by a time that never was, and Settled whether the
// time is good enough to remove things for good.
//
// Nothing is remembered across a restart: a process believes the clock that it
// is born under.
package clock

import (
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

const (
	// Tolerance is how far the clocks may part at once without a doubt. Records
	// count whole seconds, and a leap second is one.
	Tolerance = 2 * time.Second
	// Patience is how long a clock must stay where it jumped to. It is what ntpd
	// waits before it steps a clock (tinker stepout, 300 s): long enough for a
	// slip of the hand or of a hypervisor to be mended, short enough for what a
	// true jump delays, the end of a key.
	Patience = 5 * time.Minute
	// jitter is by how much two readings of clocks that run alike may differ:
	// they are not read at the same instant.
	jitter = time.Millisecond
)

// Source reads the wall clock, and at the same moment how long the machine's own
// has run since some beginning.
type Source func() (wall time.Time, machine time.Duration)

// Clock is safe for concurrent use; make one with New.
type Clock struct {
	source Source
	asleep func() time.Duration
	told   func(Change)

	offset  atomic.Int64 // from the machine's time to the mount's, in nanoseconds since 1970
	strayed atomic.Bool  // the wall clock is not where the mount's time is

	mu      sync.Mutex
	looked  time.Duration // machine time of the last look at a wall clock that strayed
	slept   time.Duration // how long the machine had slept by then
	waiting bool          // for a wall clock that is a little behind
	doubt   *doubt
	history
}

// doubt is a jump that is not believed yet.
type doubt struct {
	since  time.Duration // machine time
	offset int64         // that the wall clock would have
}

// New is a clock that begins with the wall clock as it is. told hears of jumps. It
// may be called by whoever asks for the time, whatever locks that holds, so it
// must neither wait nor ask this clock.
func New(told func(Change)) *Clock {
	born := time.Now()
	return From(func() (time.Time, time.Duration) {
		now := time.Now()
		if wall := now.Unix(); readsBoth.from <= wall && wall < readsBoth.to {
			return now, now.Sub(born)
		}
		return now, time.Since(born)
	}, told)
}

// readsBoth is from when to when, by the wall clock, time.Now also reads the machine's:
// within 1885 and 2157. A second reading takes as long again as the first.
var readsBoth = struct{ from, to int64 }{
	time.Date(1886, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2156, 1, 1, 0, 0, 0, 0, time.UTC).Unix(),
}

// From is New with another source than the system.
func From(source Source, told func(Change)) *Clock {
	c := &Clock{source: source, asleep: Asleep, told: told}
	wall, machine := source()
	c.offset.Store(nanoseconds(wall) - int64(machine))
	c.looked, c.lineBegan, c.slept = machine, machine, c.asleep()
	return c
}

// Now is the present second of the mount.
func (c *Clock) Now() record.Time {
	return record.Time(c.nanoseconds() / int64(time.Second))
}

// Until is how long it takes to a moment of the mount's time.
func (c *Clock) Until(t record.Time) time.Duration {
	return time.Duration(int64(t)*int64(time.Second) - c.nanoseconds())
}

// Elapsed is how long the machine's own clock has run: what never jumps.
func (c *Clock) Elapsed() time.Duration {
	_, machine := c.source()
	return machine
}

// nanoseconds is the mount's time since 1970. While the clocks run alike it takes
// no lock.
func (c *Clock) nanoseconds() int64 {
	wall, machine := c.source()
	seen := nanoseconds(wall) - int64(machine)
	strayed, offset := c.strayed.Load(), c.offset.Load()
	if strayed || time.Duration(seen-offset).Abs() > jitter {
		offset = c.follow(machine, seen)
	}
	return int64(machine) + offset
}

// follow takes a look at a wall clock that strayed, or has just come back.
func (c *Clock) follow(machine time.Duration, seen int64) (offset int64) {
	change := c.look(machine, seen)
	if change.Kind != 0 {
		c.told(change)
	}
	return c.offset.Load()
}

func (c *Clock) look(machine time.Duration, seen int64) (change Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if machine < c.looked {
		return change // read before what is known already
	}
	since := machine - c.looked
	c.looked = machine
	c.wake()
	offset := c.offset.Load()
	apart := time.Duration(seen - offset)
	waited := c.waiting
	c.waiting = false
	if apart.Abs() > Tolerance {
		change = c.suspect(machine, seen)
	} else {
		if c.doubt != nil {
			change = Change{Kind: Resolved, By: time.Duration(c.doubt.offset - offset)}
			c.doubt = nil
		}
		switch {
		case apart > jitter:
			c.offset.Store(seen)
		case apart < -jitter:
			c.waiting = true
			if waited {
				c.offset.Store(max(seen, offset-int64(since/2)))
			}
		}
	}
	c.strayed.Store(c.doubt != nil || c.waiting)
	return change
}

// wake adds what the machine slept, which its own clock did not count.
func (c *Clock) wake() {
	if asleep := c.asleep(); asleep-c.slept > jitter {
		c.offset.Add(int64(asleep - c.slept))
		c.before += int64(asleep - c.slept)
		c.slept = asleep
	}
}

// suspect doubts a wall clock that jumped, and believes it when it has stayed
// there.
func (c *Clock) suspect(machine time.Duration, seen int64) Change {
	offset := c.offset.Load()
	by := time.Duration(seen - offset)
	switch d := c.doubt; {
	case d == nil || time.Duration(seen-d.offset).Abs() > Tolerance:
		c.doubt = &doubt{since: machine, offset: seen}
		return Change{Kind: Doubted, By: by}
	case machine-d.since < Patience:
		return Change{}
	}
	c.doubt = nil
	c.offset.Store(seen)
	c.turn(machine, offset, seen)
	return Change{Kind: Believed, By: by}
}

// lastSecond keeps nanoseconds since 1970 from an overflow: a wall clock may say
// anything.
const lastSecond = 1 << 33

func nanoseconds(wall time.Time) int64 {
	seconds := wall.Unix()
	if seconds < 0 || seconds >= lastSecond {
		return min(max(seconds, 0), lastSecond) * int64(time.Second)
	}
	return wall.UnixNano()
}
