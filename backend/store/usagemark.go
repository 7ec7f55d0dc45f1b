package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
)

// usageMark says how the last process ended, and what may have been lost.
type usageMark struct {
	InOrder bool             `json:"in_order"` // all last uses were written down
	Gaps    record.UsageGaps `json:"gaps"`
	// Next is a number that no delta had when the last ones were removed.
	Next uint64 `json:"next"`
}

// Intact tells whether m's number is one that flushes can have come to.
func (m usageMark) Intact() bool { return m.Next < 1<<62 }

// TakeOverUsage begins a process that counts from born, and answers what those
// before it may have lost: where the last one did not end in order, all that
// slack allows for. The mark that it leaves says that this one has not ended.
func (s *Store) TakeOverUsage(ctx context.Context, born record.Time, slack record.Seconds) (record.UsageGaps, error) {
	if err := s.loadUsage(ctx); err != nil {
		return nil, err
	}
	mark, found, err := read[usageMark](ctx, s.storage, usageMarkPath)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	if (found || err != nil) && !mark.InOrder {
		mark.Gaps = mark.Gaps.Add(record.UsageGap{Before: born, Slack: slack})
	}
	return mark.Gaps, s.ResumeUsage(ctx, mark.Gaps)
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
	return s.putUsageMark(ctx, mark)
}

func (s *Store) putUsageMark(ctx context.Context, mark usageMark) error {
	mark.Next = s.usage.next
	s.usage.mark = mark
	return write(ctx, s.storage, usageMarkPath, mark)
}
