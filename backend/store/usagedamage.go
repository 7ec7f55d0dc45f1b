package store

import (
	"context"
	"errors"
	"slices"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// damage is a delta that cannot be read.
type damage struct {
	number uint64
	err    error
}

// unreadable is why no usage is known, nil where it is. The caller holds the log.
func (u *usageLog) unreadable() error {
	if len(u.damaged) > 0 {
		return u.damaged[0].err
	}
	return nil
}

// DropDamagedUsage gives up what was used in deltas that are damaged, as a crash would
// have lost it, and answers how many there were: while one is there, nobody knows of
// any key whether it was used, and no delta is merged. Which keys were used in them is
// not known, so for that time none counts as idle. What another version of the plugin
// wrote is not damaged, and stays.
func (s *Store) DropDamagedUsage(ctx context.Context, now record.Time) (dropped int, err error) {
	if err := s.loadUsage(ctx); err != nil {
		return 0, err
	}
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	mark := u.mark
	var lost []damage
	for _, d := range u.damaged {
		if errors.Is(d.err, errDamaged) {
			lost = append(lost, d)
			mark.Gaps = mark.Gaps.Add(idle.Gap{From: u.before(d.number), Before: now})
		}
	}
	if len(lost) == 0 {
		return 0, nil
	}
	if err := s.putUsageMark(ctx, mark, u.written); err != nil { // before they go: a crash in between costs nothing
		return 0, err
	}
	for _, gone := range lost {
		if err := remove(ctx, s.storage, deltaPath(gone.number)); err != nil {
			return dropped, err
		}
		dropped++
		u.mu.Lock()
		u.damaged = slices.DeleteFunc(slices.Clone(u.damaged), func(d damage) bool { return d.number == gone.number })
		u.mu.Unlock()
	}
	return dropped, nil
}

// before is until when all that was used is in deltas before this one, as far as they
// are still there; else 0.
func (u *usageLog) before(number uint64) (at record.Time) {
	for _, d := range u.stored {
		if d.number < number {
			at = max(at, d.At)
		}
	}
	return at
}
