package limit

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Quotas is where reservations are kept. PutQuota has taken effect when it
// answers without an error.
type Quotas interface {
	Quota(ctx context.Context, id string) (record.Quota, bool, error)
	PutQuota(ctx context.Context, id string, q record.Quota) error
}

// ledger is where a meter reserves, and the name that it does so under.
type ledger struct {
	Quotas
	by     string
	start  time.Time
	frugal atomic.Bool   // reserve what is spent at once, and no more
	blocks atomic.Uint64 // that were reserved
	hunt   func(id string)
}

// ahead is how much to reserve.
func (l *ledger) ahead(remaining, cost int64) int64 {
	if l.frugal.Load() {
		return cost
	}
	return min(max(cost, blockSize(remaining)), remaining)
}

// block is what this node holds of a key's quota, reserved in storage. A new block
// holds nothing and has not looked at storage yet.
//
// Which units were spent before a window began must be known for every window
// that a change of period may ask for, also after a crash. So a block is spent
// under the window that it was reserved for and for blockLife at most; until when
// stands beside it in storage.
type block struct {
	*ledger
	id      string
	known   bool
	stored  record.Quota // as last read or written
	left    int64        // reserved and not spent; this node's own
	window  window       // what left was reserved for
	settled record.Time  // every unit but those left was spent, or lost, before
	lent
}

// window is the time that a quota counts in. The zero window is the key's life.
type window struct{ start, end record.Time }

func windowOf(l record.Limits, created, now record.Time) window {
	if l.QuotaPeriod == 0 {
		return window{}
	}
	return window{l.WindowStart(created, now), l.WindowEnd(created, now)}
}

// blockLife bounds how long a block is spent from: for so long after a crash a
// window of another length may count units that were spent before it. A key in
// use writes no less often.
const blockLife record.Seconds = 600

// until is when a block must not be spent any more. Of one that is spent at once
// nothing is left to be spent later.
func (w window) until(now record.Time, size, cost int64) record.Time {
	switch {
	case size == cost:
		return max(now, w.start) + 1
	case w.end == 0:
		return now.Add(blockLife)
	}
	return min(now.Add(blockLife), w.end)
}

// past is a moment before which units were spent, as a window may take it: a
// clock that was set back by less than the window's length must not refill it
// when it comes again; what lies further ahead was written by a clock that was
// wrong.
func (w window) past(at, now record.Time) record.Time {
	if at > now.Add(1+w.end.Sub(w.start)) {
		return max(now, w.start) + 1
	}
	return at
}

// maxBlock bounds what a crash may lose of a large quota. A key verified a
// thousand times a second then writes once in four seconds.
const maxBlock = 4096

// blockSize is how much to reserve ahead: large when the end is far, one when it
// is close.
func blockSize(remaining int64) int64 { return min(max(1, remaining/32), maxBlock) }

// fits is that of holding.
func (b *block) fits(ctx context.Context, line Line, cost int64, take bool, now record.Time) (fits bool, err error) {
	w := windowOf(line.Limits, line.Created, now)
	if err := b.load(ctx, w, now); err != nil {
		return false, err
	}
	fits = b.unspent(line.Limits.Quota, w) >= cost
	if fits && take {
		fits, err = b.reserve(ctx, line.Limits.Quota, cost, w, now)
	}
	if fits || err != nil {
		return fits, err
	}
	b.miss(now)
	return false, b.correct(ctx, w, now)
}

// remaining is that of holding.
func (b *block) remaining(ctx context.Context, line Line, now record.Time) (int64, error) {
	w := windowOf(line.Limits, line.Created, now)
	if err := b.load(ctx, w, now); err != nil {
		return 0, err
	}
	return b.unspent(line.Limits.Quota, w), nil
}

func (b *block) held() bool { return b.left > 0 }

func (b *block) arrives() bool { return true } // or is told of at once

func (b *block) kept() bool { return b.left > 0 || b.out() }

func (b *block) forget() { *b = block{ledger: b.ledger, id: b.id} }

// load reads what is reserved, once.
func (b *block) load(ctx context.Context, w window, now record.Time) error {
	if !b.known {
		return b.read(ctx, w, now)
	}
	b.settle(w, now)
	return nil
}

// settle has what a wrong clock wrote count for no longer than it may. What was lent is
// not spent yet, whoever lent it: that lies ahead also where nothing else does.
func (b *block) settle(w window, now record.Time) {
	b.settled = max(w.past(b.settled, now), b.lentUntil(now))
}

// read reads what is reserved. Where another wrote last, the block that was held
// here is lost, and so is any that was held there: Vault tells who holds one when
// another writes.
func (b *block) read(ctx context.Context, w window, now record.Time) error {
	q, _, err := b.Quota(ctx, b.id)
	if err != nil {
		return fmt.Errorf("load quota: %w", err)
	}
	if q.By != b.by || b.stored.By != b.by {
		b.left, b.settled = 0, q.Until
	}
	b.known, b.stored = true, q
	b.settle(w, now)
	return nil
}

// spent is what counts in a window, with what is reserved.
func (b *block) spent(w window) int64 {
	if w == (window{}) {
		return b.stored.Total
	}
	before := b.stored.Before(w.start)
	if b.settled <= w.start {
		before = b.stored.Total - b.left
	}
	return b.stored.Total - before
}

// unspent is what is not spent, as far as this node knows.
func (b *block) unspent(quota int64, w window) int64 {
	return max(0, quota-b.spent(w)+b.left)
}

// reserve sees to it that cost units can be spent, of which the caller knows
// that they remain, and tells whether they do. What it reserves and is then not
// spent stays in the block.
func (b *block) reserve(ctx context.Context, quota, cost int64, w window, now record.Time) (ok bool, err error) {
	if b.left >= cost && b.window == w && now < b.stored.Until {
		return true, nil
	}
	// Another node may have reserved since, so what counts is read again.
	if err := b.read(ctx, w, now); err != nil {
		return false, err
	}
	remaining := b.unspent(quota, w)
	if remaining < cost {
		return false, nil
	}
	size := b.ahead(remaining, cost)
	before := b.stored.Total - b.left
	next := record.Quota{
		Total: before + size,
		By:    b.by,
		Until: max(w.until(now, size, cost), b.lentUntil(now)),
		Lent:  b.lentUntil(now),
		Marks: b.stored.Marked(record.Mark{At: b.settled, Total: before}, w.start),
	}
	b.left = min(b.left, size) // should the write fail, a block may be lost, and nothing is spent twice
	if err := b.write(ctx, next); err != nil {
		return false, err
	}
	b.left, b.window = size, w
	b.blocks.Add(1)
	return true, nil
}

// write writes what is reserved. It may take effect and fail: then it is not known.
func (b *block) write(ctx context.Context, next record.Quota) error {
	b.known = false
	if err := b.PutQuota(ctx, b.id, next); err != nil {
		return fmt.Errorf("write quota: %w", err)
	}
	b.known, b.stored = true, next
	return nil
}

// correct writes down, once, what a refusal goes by where the clock was wrong
// when the quota was written: by what that says, units may still be spent in any
// window until then, and every process that reads it would refuse anew.
func (b *block) correct(ctx context.Context, w window, now record.Time) error {
	if !b.astray(now) {
		return nil
	}
	// Another node may have reserved since, as in reserve.
	if err := b.read(ctx, w, now); err != nil || !b.astray(now) {
		return err
	}
	mark := record.Mark{At: b.settled, Total: b.stored.Total - b.left}
	return b.write(ctx, record.Quota{
		Total: b.stored.Total, By: b.by, Until: b.settled, Lent: b.lentUntil(now), Marks: b.stored.Marked(mark, w.start),
	})
}

func (b *block) astray(now record.Time) bool { return b.stored.Until > now.Add(1+blockLife) }

// spend takes cost, which was reserved, from the block.
func (b *block) spend(cost int64, now record.Time) {
	b.left -= cost
	b.settled = max(b.settled, now+1, b.window.start+1)
}

// giveBack returns what is left, so that an orderly end of the process loses
// nothing.
func (b *block) giveBack(ctx context.Context) error {
	if b.left == 0 {
		return nil
	}
	q, _, err := b.Quota(ctx, b.id)
	if err != nil {
		return fmt.Errorf("load quota: %w", err)
	}
	left, settled := b.left, b.settled
	// Before the write, which may take effect and fail: what was given back once
	// must be neither spent nor given back again.
	*b = block{ledger: b.ledger, id: b.id, lent: b.lent}
	if q.By != b.by {
		return nil
	}
	q.Total -= left
	q.Until = min(q.Until, max(1, settled))
	q.Lent = min(q.Lent, q.Until)
	if err := b.PutQuota(ctx, b.id, q); err != nil {
		return fmt.Errorf("give quota back: %w", err)
	}
	return nil
}
