package feed

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

const (
	// gather is for how long a poll that was woken waits for more: what ends one key
	// often ends many.
	gather = 10 * time.Millisecond
	// pace is how much time there is for each answer in a stream of changes: 200 a second
	// are a sixth of two cores, however many gates there are.
	pace = 5 * time.Millisecond
	// maxParked bounds the polls that wait. Each is some 100 KiB in Vault and here.
	maxParked = 4096
)

// errEnded is returned to polls when the mount goes away. To a gate it is silence.
const errEnded record.Busy = "busy: the mount is going away"

// Poll answers what changed since the poll's cursor, and waits for that as long as the
// poll wants. One that does not want to wait is answered only once it is proven that it
// was this node that knew of all changes when the poll arrived: see proof. A node that
// does not know what changes has no say: ErrElsewhere.
func (f *Feed) Poll(ctx context.Context, p wire.Poll) (answer wire.Changes, err error) {
	arrived := time.Now()
	if err := f.speaks(); err != nil {
		return answer, err
	}
	if err := f.begin(ctx); err != nil {
		return answer, err
	}
	from, known := f.place(p.Cursor)
	paced := f.gates.hear(p, from, arrived, f.clock.Now())
	var proven time.Time
	switch {
	case p.Wait == 0:
		proven, err = f.prove(ctx)
	case known && f.enter():
		err = f.park(ctx, from, paced, arrived.Add(time.Duration(p.Wait)*time.Millisecond))
		f.leave()
	}
	if err != nil {
		return answer, err
	}
	answer = f.since(from, arrived, proven)
	if err := f.speaks(); err != nil {
		return wire.Changes{}, err
	}
	if len(answer.Changes) > 0 {
		f.gates.told(p, time.Now())
	}
	answer.Nonce, answer.Gates = p.Nonce, f.gates.lately(time.Now())
	answer.Wait = asked(answer.Gates).Milliseconds()
	return answer, nil
}

// speaks is nil where what changes is told here. Of a node that does not write any more,
// or a mount that goes away, silence is all that is true.
func (f *Feed) speaks() error {
	select {
	case <-f.ended:
		return errEnded
	default:
	}
	if !f.writable() {
		return record.ErrElsewhere
	}
	return nil
}

// asked is how long a poll should wait: short, since a parked one holds up Vault's seal
// and step-down, but so that idle gates cost no more than 200 answers a second.
func asked(gates int) time.Duration {
	return min(max(time.Duration(gates)*10*time.Millisecond, time.Second), wire.MaxWait*time.Millisecond)
}

// place is where a poll's cursor lies, and whether that is known here.
func (f *Feed) place(cursor string) (from wire.Cursor, known bool) {
	from, ok := wire.ParseCursor(cursor)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok || !f.knows(from) {
		return wire.Cursor{}, false
	}
	return from, true
}

// enter takes a place for a poll that waits, if there is one.
func (f *Feed) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.parked == maxParked {
		return false
	}
	f.parked++
	return true
}

func (f *Feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parked--
}

// park holds a poll until there is something that wakes it, and then for others to
// gather and no more often than paced; or until its time is over.
func (f *Feed) park(ctx context.Context, from wire.Cursor, paced, until time.Time) error {
	over := time.NewTimer(time.Until(until))
	defer over.Stop()
	for earliest := paced; ; {
		var ready <-chan time.Time
		wake := f.news(from)
		if wake == nil {
			ready = time.After(time.Until(earliest))
		}
		select {
		case <-wake:
			if woken := time.Now().Add(gather); woken.After(earliest) {
				earliest = woken
			}
		case <-ready:
			return nil
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-f.ended:
			return errEnded
		}
	}
}

// news is nil where there is something to tell that wakes a poll, and else told of it.
func (f *Feed) news(from wire.Cursor) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.knows(from) || f.loud > from.Sequence {
		return nil
	}
	f.heard = true
	return f.wake
}

// since is what changed, and how long the poll was held: until the moment for which it is
// proven that this was all, if there is one.
func (f *Feed) since(from wire.Cursor, arrived, proven time.Time) wire.Changes {
	// Read before the changes are: what a gate knows is at least of this moment.
	answer := wire.Changes{Changes: []string{}, Waited: time.Since(arrived).Milliseconds(), Now: -f.clock.Until(0).Milliseconds()}
	if !proven.IsZero() {
		answer.Waited = proven.Sub(arrived).Milliseconds()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.knows(from) {
		f.resets++
		answer.Reset, answer.Cursor = true, f.last.String()
		return answer
	}
	to := f.last
	to.Sequence = min(to.Sequence, from.Sequence+wire.MaxChanges)
	answer.Cursor, answer.More = to.String(), to != f.last
	told := make(map[string]bool, to.Sequence-from.Sequence)
	for n := from.Sequence + 1; n <= to.Sequence; n++ {
		if change := f.ring[n%size]; !told[change] {
			told[change] = true
			answer.Changes = append(answer.Changes, change)
		}
	}
	return answer
}
