package edge

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// engineTime tells the engine's time, by which everything ends. The wall clock of the gate's
// machine is used for nothing.
//
// Of an answer it is known from when to when it can have been composed, and what the
// engine's clock said then. The latest that the engine's clock can say is what counts:
// a key ends early, by half a round trip, and never late. Within a term time never goes
// back.
type engineTime struct {
	now    func() time.Duration
	logger *slog.Logger

	line atomic.Pointer[line]
	back atomic.Int64 // when the time last went back with the term

	mu    sync.Mutex
	term  uint64        // that the line is of
	round time.Duration // the round trip that the offset is of
	at    time.Duration // when that was
}

// line is the time of one term. Another has another, so that who still looks at the one
// before moves nothing.
type line struct {
	offset atomic.Int64 // from the mirror's time to the engine's, in nanoseconds since 1970
	latest atomic.Int64 // the last second that was told
}

// A sample that is a minute old is as good as one whose round trip is 60 ms longer: the
// clocks of two machines drift apart by less than that.
const driftPart = 1000

// jump is by how much the time may change with the term without a word.
const jump = 2 * time.Second

func newEngineTime(now func() time.Duration, logger *slog.Logger) *engineTime {
	c := &engineTime{now: now, logger: logger}
	c.line.Store(new(line))
	c.back.Store(never)
	return c
}

// Now is the present second of the engine, or one that it will come to within half a
// round trip.
func (c *engineTime) Now() record.Time {
	l := c.line.Load()
	now := (int64(c.now()) + l.offset.Load()) / int64(time.Second)
	for {
		latest := l.latest.Load()
		if now <= latest {
			return record.Time(latest)
		}
		if l.latest.CompareAndSwap(latest, now) {
			return record.Time(now)
		}
	}
}

// Elapsed is how long the machine has run: what never jumps.
func (c *engineTime) Elapsed() time.Duration { return c.now() }

// Undone tells whether what was seen to end at this moment is to be judged anew: a later
// term's clock is far behind. Its engine is another process, and has seen none of that.
func (c *engineTime) Undone(_, seen time.Duration) bool { return seen <= time.Duration(c.back.Load()) }

// sample takes an answer in which the engine said that it is so many milliseconds since
// 1970, and which was composed between these moments.
func (c *engineTime) sample(term uint64, from, to time.Duration, milliseconds int64) {
	// What was cut off when it was rounded counts, too.
	offset := (milliseconds+1)*int64(time.Millisecond) - int64(from)
	round := to - from
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.line.Load()
	switch before := of.offset.Load(); {
	case term < c.term:
		return
	case term > c.term:
		told := max(before+int64(to), of.latest.Load()*int64(time.Second))
		by := time.Duration(offset + int64(to) - told)
		if c.term != 0 && by.Abs() > jump {
			c.logger.Warn("the engine's clock jumped with its term", "by", by)
			if by < 0 {
				c.back.Store(int64(to))
			}
		}
		c.term, of = term, new(line)
	case round <= c.round+(to-c.at)/driftPart:
	case offset-int64(round) > before: // the engine's clock went ahead of what was thought the latest
	default:
		return
	}
	of.offset.Store(offset)
	c.line.Store(of)
	c.round, c.at = round, to
}
