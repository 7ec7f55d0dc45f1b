package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// usageMark says how the last process ended, and what may have been lost.
type usageMark struct {
	InOrder bool        `json:"in_order"` // all last uses were written down
	At      record.Time `json:"at"`       // all until then were
	Gaps    idle.Gaps   `json:"gaps"`
	// Next is a number that no delta had when the last ones were removed.
	Next uint64 `json:"next"`
}

// Intact tells whether m's number is one that flushes can have come to.
func (m usageMark) Intact() bool { return m.Next < 1<<62 }

// UsageGaps are what processes before this one, which counts from born, may have
// lost: where the last one did not end in order, what was used since its last flush, or
// within a flush interval where that is not known.
func (s *Store) UsageGaps(ctx context.Context, born record.Time) (idle.Gaps, error) {
	return s.usageGaps(ctx, born, false)
}

// TakeOverUsage leaves the mark that this process, which counts from born, has not
// ended.
func (s *Store) TakeOverUsage(ctx context.Context, born record.Time) error {
	_, err := s.usageGaps(ctx, born, true)
	return err
}

func (s *Store) usageGaps(ctx context.Context, born record.Time, begin bool) (idle.Gaps, error) {
	config, err := s.Config(ctx)
	if err == nil {
		err = s.loadUsage(ctx)
	}
	if err != nil {
		return nil, err
	}
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	if u.begun {
		return u.mark.Gaps, nil
	}
	mark, found, err := read[usageMark](ctx, s.storage, usageMarkPath)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	if (found || err != nil) && !mark.InOrder {
		from := u.written
		if from == 0 || from > born { // by a clock that was ahead
			from = born.Add(-config.UsageFlushInterval)
		}
		mark.Gaps = mark.Gaps.Add(idle.Gap{From: from, Before: born})
	}
	if !begin {
		return mark.Gaps, nil
	}
	mark.InOrder = false
	err = s.putUsageMark(ctx, mark, born)
	u.begun = err == nil
	return mark.Gaps, err
}

// ResumeUsage leaves the mark that last uses are not written down any more as they
// happen, after EndUsage and in the same process.
func (s *Store) ResumeUsage(ctx context.Context) error { return s.markUsage(ctx, false) }

// EndUsage leaves the mark that all last uses are written down.
func (s *Store) EndUsage(ctx context.Context) error { return s.markUsage(ctx, true) }

func (s *Store) markUsage(ctx context.Context, inOrder bool) error {
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	return s.putUsageMark(ctx, usageMark{InOrder: inOrder, Gaps: u.mark.Gaps}, u.written)
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
