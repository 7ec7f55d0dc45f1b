package limit

import (
	"context"
	"fmt"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Quotas is where reservations are kept. PutQuota has taken effect when it
// answers without an error.
type Quotas interface {
	Quota(ctx context.Context, id string) (record.Quota, error)
	PutQuota(ctx context.Context, id string, q record.Quota) error
}

// block is what this node holds of a key's quota. The zero block holds nothing
// and has not looked at storage yet.
type block struct {
	known  bool
	stored record.Quota // as last read or written
	left   int64        // reserved and not spent; this node's own
}

// maxBlock bounds what a crash may lose of a large quota. A key verified a
// thousand times a second then writes once in four seconds.
const maxBlock = 4096

// blockSize is how much to reserve ahead: large when the end is far, one when it
// is close.
func blockSize(remaining int64) int64 { return min(max(1, remaining/32), maxBlock) }

// enter drops what belonged to an earlier window, also where a failed write left
// it unknown what is stored.
func (b *block) enter(start record.Time) {
	if b.stored.At < start {
		b.stored, b.left = record.Quota{}, 0
	}
}

// load reads what is reserved, once.
func (b *block) load(ctx context.Context, quotas Quotas, id string, start record.Time) error {
	b.enter(start)
	if b.known {
		return nil
	}
	q, err := quotas.Quota(ctx, id)
	if err != nil {
		return fmt.Errorf("load quota: %w", err)
	}
	b.known, b.stored = true, q.In(start)
	return nil
}

// remaining is what is not spent, as far as this node knows.
func (b *block) remaining(quota int64) int64 { return max(0, quota-b.stored.Reserved+b.left) }

// has tells whether cost units are left, as far as this node knows.
func (b *block) has(ctx context.Context, quotas Quotas, id string, quota, cost int64, start record.Time) (ok bool, err error) {
	err = b.load(ctx, quotas, id, start)
	return err == nil && b.remaining(quota) >= cost, err
}

// reserve sees to it that cost units can be spent, and tells whether they can.
// What it reserves and is then not spent stays in the block.
func (b *block) reserve(ctx context.Context, quotas Quotas, id string, quota, cost int64, start, now record.Time) (ok bool, err error) {
	if err := b.load(ctx, quotas, id, start); err != nil {
		return false, err
	}
	if b.remaining(quota) < cost {
		return false, nil
	}
	if b.left >= cost {
		return true, nil
	}
	// Another node may have reserved since, so what counts is read again.
	q, err := quotas.Quota(ctx, id)
	if err != nil {
		return false, fmt.Errorf("load quota: %w", err)
	}
	b.stored = q.In(start)
	available := quota - b.stored.Reserved
	needed := cost - b.left
	if available < needed {
		return false, nil
	}
	grab := min(max(needed, blockSize(available)), available)
	next := record.Quota{Reserved: b.stored.Reserved + grab, At: max(now, b.stored.At)}
	if err := quotas.PutQuota(ctx, id, next); err != nil {
		// It may have taken effect: a block may be lost, nothing is spent twice.
		b.known = false
		return false, fmt.Errorf("reserve quota: %w", err)
	}
	b.stored = next
	b.left += grab
	return true, nil
}

// giveBack returns what is left, so that an orderly end of the process loses
// nothing.
func (b *block) giveBack(ctx context.Context, quotas Quotas, id string) error {
	if b.left == 0 {
		return nil
	}
	q, err := quotas.Quota(ctx, id)
	if err != nil {
		return fmt.Errorf("load quota: %w", err)
	}
	left, at := b.left, b.stored.At
	// Before the write, which may take effect and fail: what was given back once
	// must be neither spent nor given back again.
	*b = block{}
	if q.At != at {
		return nil
	}
	q.Reserved = max(0, q.Reserved-left)
	if err := quotas.PutQuota(ctx, id, q); err != nil {
		return fmt.Errorf("give quota back: %w", err)
	}
	return nil
}
