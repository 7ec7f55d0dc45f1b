package store

import (
	"context"
	"errors"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Beyond so much the deltas, all of which are in memory, are to be merged.
const (
	manyDeltas = 64
	manyBytes  = 16 << 20
)

// UsesPileUp tells whether there are so many deltas that they are to be merged
// before the next tidy.
func (s *Store) UsesPileUp() bool {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	return len(s.usage.stored) >= manyDeltas || s.usage.bytes >= manyBytes
}

// CompactUses merges the deltas into the bases of their keys, and then removes
// them. What it did before it was ended is not done again by the next.
func (s *Store) CompactUses(ctx context.Context, step func()) error {
	if err := s.loadUsage(ctx); err != nil {
		return err
	}
	u := &s.usage
	u.compacting.Lock()
	defer u.compacting.Unlock()
	u.mu.Lock()
	deltas, err := u.stored, u.damaged
	u.mu.Unlock()
	if err != nil || len(deltas) == 0 {
		return err
	}
	ids := make(map[string]bool)
	for _, d := range deltas {
		for id := range d.Uses {
			ids[id] = true
		}
	}
	for id := range ids {
		step()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.compactUsesOf(ctx, id, deltas); err != nil {
			return err
		}
	}
	return s.removeDeltas(ctx, deltas)
}

// compactUsesOf merges what deltas say of one key into its base, under the key's
// lock: of one that is gone nothing may be left. A base that cannot be read stays as
// it is.
func (s *Store) compactUsesOf(ctx context.Context, id string, deltas []usageDelta) error {
	defer s.keys.locks.hold(id, alone)()
	_, found, err := s.keys.peek(ctx, id)
	if err == nil && !found {
		return nil
	}
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	base, _, err := read[usageBase](ctx, s.storage, usagePath(id))
	if errors.Is(err, ErrUnreadable) {
		return nil
	}
	merged := base.merge(id, deltas)
	if err != nil || merged.Through == base.Through {
		return err
	}
	return write(ctx, s.storage, usagePath(id), merged)
}

// removeDeltas removes what is in the bases. Before the mark says which number is
// next none goes: a number that came again would be taken for one that was merged.
func (s *Store) removeDeltas(ctx context.Context, deltas []usageDelta) error {
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	if err := s.putUsageMark(ctx, u.mark, u.written); err != nil {
		return err
	}
	for _, gone := range deltas {
		if err := remove(ctx, s.storage, deltaPath(gone.number)); err != nil {
			return err
		}
		u.mu.Lock()
		u.keep(slices.DeleteFunc(slices.Clone(u.stored), func(d usageDelta) bool { return d.number == gone.number }))
		u.mu.Unlock()
	}
	return nil
}

// SweepUsage merges all deltas, removes the last uses of keys that are gone, and
// moves the others to when dated says that they were. It tells whether any moved.
func (s *Store) SweepUsage(ctx context.Context, step func(), dated func(record.Time) record.Time) (moved bool, err error) {
	if err := s.CompactUses(ctx, step); err != nil && !errors.Is(err, ErrUnreadable) {
		return false, err
	}
	s.usage.compacting.Lock()
	defer s.usage.compacting.Unlock()
	err = s.walk(ctx, usageKeys, "", func(id string) (bool, error) {
		step()
		of, err := s.sweepUsesOf(ctx, id, dated)
		moved = moved || of
		return true, err
	})
	return moved, err
}

func (s *Store) sweepUsesOf(ctx context.Context, id string, dated func(record.Time) record.Time) (moved bool, err error) {
	defer s.keys.locks.hold(id, alone)()
	_, found, err := s.keys.peek(ctx, id)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return false, err
	}
	if err == nil && !found {
		return false, remove(ctx, s.storage, usagePath(id))
	}
	base, _, err := read[usageBase](ctx, s.storage, usagePath(id))
	if errors.Is(err, ErrUnreadable) {
		return false, nil
	}
	at := base.Uses.Date(dated)
	if err != nil || slices.Equal(at, base.Uses) {
		return false, err
	}
	base.Uses = at
	return true, write(ctx, s.storage, usagePath(id), base)
}
