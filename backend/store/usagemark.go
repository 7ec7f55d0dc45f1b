package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
)

// usageMark says how the last process ended, and what may have been lost.
type usageMark struct {
	InOrder bool             `json:"in_order"` // all last uses were written down
	At      record.Time      `json:"at"`       // all until then were
	Gaps    record.UsageGaps `json:"gaps"`
	// Next is a number that no delta had when the last ones were removed.
	Next uint64 `json:"next"`
}

// Intact tells whether m's number is one that flushes can have come to.
func (m usageMark) Intact() bool { return m.Next < 1<<62 }

// TakeOverUsage begins a process that counts from born, and answers what those
// before it may have lost: where the last one did not end in order, what was used
// since its last flush, or within slack where that is not known. The mark that it
// leaves says that this one has not ended.
func (s *Store) TakeOverUsage(ctx context.Context, born record.Time, slack record.Seconds) (record.UsageGaps, error) {
	if err := s.loadUsage(ctx); err != nil {
		return nil, err
	}
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	mark, found, err := read[usageMark](ctx, s.storage, usageMarkPath)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	if (found || err != nil) && !mark.InOrder {
		from := u.written
		if from == 0 || from > born { // by a clock that was ahead
			from = born.Add(-slack)
		}
		mark.Gaps = mark.Gaps.Add(record.UsageGap{From: from, Before: born})
	}
	mark.InOrder = false
	if err := s.putUsageMark(ctx, mark, born); err != nil {
		return nil, err
	}
	u.begun = true
	return mark.Gaps, nil
}

// ResumeUsage leaves the mark that last uses are not written down any more as they
// happen, after EndUsage and in the same process.
func (s *Store) ResumeUsage(ctx context.Context, gaps record.UsageGaps) error {
	return s.markUsage(ctx, usageMark{Gaps: gaps})
}

// EndUsage leaves the mark that all last uses are written down.
func (s *Store) EndUsage(ctx context.Context, gaps record.UsageGaps) error {
	return s.markUsage(ctx, usageMark{InOrder: true, Gaps: gaps})
}

func (s *Store) markUsage(ctx context.Context, mark usageMark) error {
	s.usage.writing.Lock()
	defer s.usage.writing.Unlock()
	return s.putUsageMark(ctx, mark, s.usage.written)
}

// putUsageMark writes the mark, which says that all uses until at are stored.
func (s *Store) putUsageMark(ctx context.Context, mark usageMark, at record.Time) error {
	u := &s.usage
	mark.Next, mark.At = u.next, at
	if err := write(ctx, s.storage, usageMarkPath, mark); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.mark, u.written = mark, at
	return nil
}
