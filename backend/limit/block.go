package limit

import (
	"context"
	"fmt"
	"sync/atomic"

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
	frugal *atomic.Bool   // reserve what is spent at once, and no more
	blocks *atomic.Uint64 // that were reserved
}

// ahead is how much to reserve.
func (l ledger) ahead(remaining, cost int64) int64 {
	if l.frugal.Load() {
		return cost
	}
	return min(max(cost, blockSize(remaining)), remaining)
}

// block is what this node holds of a key's quota. The zero block holds nothing
// and has not looked at storage yet.
//
// Which units were spent before a window began must be known for every window
// that a change of period may ask for, also after a crash. So a block is spent
// under the window that it was reserved for and for blockLife at most; until when
// stands beside it in storage.
type block struct {
	known   bool
	stored  record.Quota // as last read or written
	left    int64        // reserved and not spent; this node's own
	window  window       // what left was reserved for
	settled record.Time  // every unit but those left was spent, or lost, before
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

// load reads what is reserved, once.
func (b *block) load(ctx context.Context, l ledger, id string, w window, now record.Time) error {
	if !b.known {
		return b.read(ctx, l, id, w, now)
	}
	b.settled = w.past(b.settled, now)
	return nil
}

// read reads what is reserved. Where another wrote last, the block that was held
// here is lost, and so is any that was held there: Vault tells who holds one when
// another writes.
func (b *block) read(ctx context.Context, l ledger, id string, w window, now record.Time) error {
	q, _, err := l.Quota(ctx, id)
	if err != nil {
		return fmt.Errorf("load quota: %w", err)
	}
	if q.By != l.by || b.stored.By != l.by {
		b.left, b.settled = 0, q.Until
	}
	b.known, b.stored, b.settled = true, q, w.past(b.settled, now)
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

// remaining is what is not spent, as far as this node knows.
func (b *block) remaining(quota int64, w window) int64 {
	return max(0, quota-b.spent(w)+b.left)
}

// reserve sees to it that cost units can be spent, of which the caller knows
// that they remain, and tells whether they do. What it reserves and is then not
// spent stays in the block.
func (b *block) reserve(ctx context.Context, l ledger, id string, quota, cost int64, w window, now record.Time) (ok bool, err error) {
	if b.left >= cost && b.window == w && now < b.stored.Until {
		return true, nil
	}
	// Another node may have reserved since, so what counts is read again.
	if err := b.read(ctx, l, id, w, now); err != nil {
		return false, err
	}
	remaining := b.remaining(quota, w)
	if remaining < cost {
		return false, nil
	}
	size := l.ahead(remaining, cost)
	before := b.stored.Total - b.left
	next := record.Quota{
		Total: before + size,
		By:    l.by,
		Until: w.until(now, size, cost),
		Marks: b.stored.Marked(record.Mark{At: b.settled, Total: before}, w.start),
	}
	b.left = min(b.left, size) // should the write fail, a block may be lost, and nothing is spent twice
	if err := b.write(ctx, l, id, next); err != nil {
		return false, err
	}
	b.left, b.window = size, w
	l.blocks.Add(1)
	return true, nil
}

// write writes what is reserved. It may take effect and fail: then it is not known.
func (b *block) write(ctx context.Context, l ledger, id string, next record.Quota) error {
	b.known = false
	if err := l.PutQuota(ctx, id, next); err != nil {
		return fmt.Errorf("write quota: %w", err)
	}
	b.known, b.stored = true, next
	return nil
}

// correct writes down, once, what a refusal goes by where the clock was wrong
// when the quota was written: by what that says, units may still be spent in any
// window until then, and every process that reads it would refuse anew.
func (b *block) correct(ctx context.Context, l ledger, id string, w window, now record.Time) error {
	if !b.ahead(now) {
		return nil
	}
	// Another node may have reserved since, as in reserve.
	if err := b.read(ctx, l, id, w, now); err != nil || !b.ahead(now) {
		return err
	}
	mark := record.Mark{At: b.settled, Total: b.stored.Total - b.left}
	return b.write(ctx, l, id, record.Quota{Total: b.stored.Total, By: l.by, Until: b.settled, Marks: b.stored.Marked(mark, w.start)})
}

func (b *block) ahead(now record.Time) bool { return b.stored.Until > now.Add(1+blockLife) }

// spend takes cost, which was reserved, from the block.
func (b *block) spend(cost int64, now record.Time) {
	b.left -= cost
	b.settled = max(b.settled, now+1, b.window.start+1)
}

// giveBack returns what is left, so that an orderly end of the process loses
// nothing.
func (b *block) giveBack(ctx context.Context, l ledger, id string) error {
	if b.left == 0 {
		return nil
	}
	q, _, err := l.Quota(ctx, id)
	if err != nil {
		return fmt.Errorf("load quota: %w", err)
	}
	left, settled := b.left, b.settled
	// Before the write, which may take effect and fail: what was given back once
	// must be neither spent nor given back again.
	*b = block{}
	if q.By != l.by {
		return nil
	}
	q.Total -= left
	q.Until = min(q.Until, max(1, settled))
	if err := l.PutQuota(ctx, id, q); err != nil {
		return fmt.Errorf("give quota back: %w", err)
	}
	return nil
}
