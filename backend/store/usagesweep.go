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

// UsagePilesUp tells whether there are so many deltas that they are to be merged
// before the next tidy.
func (s *Store) UsagePilesUp() bool {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	return len(s.usage.stored) >= manyDeltas || s.usage.bytes >= manyBytes
}

// CompactUsage merges the deltas into the bases of their keys, and then removes
// them. What it did before it was ended is not done again by the next.
func (s *Store) CompactUsage(ctx context.Context, step func()) error {
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
	subjects := make(map[record.Subject]bool)
	for _, d := range deltas {
		for of := range d.Usage {
			subjects[of] = true
		}
	}
	for of := range subjects {
		step()
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.compactUsageOf(ctx, of, deltas); err != nil {
			return err
		}
	}
	return s.removeDeltas(ctx, deltas)
}

// compactUsageOf merges what deltas say of one subject into its base. A base that
// cannot be read stays as it is.
func (s *Store) compactUsageOf(ctx context.Context, of record.Subject, deltas []usageDelta) error {
	defer s.holdSubject(of)()
	if gone, err := s.gone(ctx, of); err != nil || gone {
		return err
	}
	base, _, err := read[usageBase](ctx, s.storage, usagePath(of))
	if errors.Is(err, ErrUnreadable) {
		return nil
	}
	if err != nil || !base.merge(of, deltas) {
		return err
	}
	return write(ctx, s.storage, usagePath(of), base)
}

// holdSubject keeps a key as it is. The others have no end that would go by without
// the sweep.
func (s *Store) holdSubject(of record.Subject) (release func()) {
	if id, isKey := of.Key(); isKey {
		return s.keys.locks.hold(id, alone)
	}
	return func() {}
}

// gone tells whether a subject is a key that is there no more: of such a one nothing
// may be left.
func (s *Store) gone(ctx context.Context, of record.Subject) (bool, error) {
	id, isKey := of.Key()
	if !isKey {
		return false, nil
	}
	_, found, err := s.keys.peek(ctx, id)
	if errors.Is(err, ErrUnreadable) {
		return false, nil
	}
	return err == nil && !found, err
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

// SweepUsage merges all deltas, removes what is counted of keys that are gone and of
// owners that are forgotten, and moves the rest to when dated says that it was. It
// tells whether any moved.
func (s *Store) SweepUsage(ctx context.Context, step func(), now record.Time, dated func(record.Time) record.Time) (moved bool, err error) {
	if err := s.CompactUsage(ctx, step); err != nil && !errors.Is(err, ErrUnreadable) {
		return false, err
	}
	s.usage.compacting.Lock()
	defer s.usage.compacting.Unlock()
	sweep := func(of record.Subject) error {
		step()
		any, err := s.sweepUsageOf(ctx, of, now, dated)
		moved = moved || any
		return err
	}
	err = s.walk(ctx, usageKeys, "", func(id string) (bool, error) { return true, sweep(record.OfKey(id)) })
	if err != nil {
		return moved, err
	}
	owners, err := s.names(ctx, usageOwners)
	if err != nil {
		return moved, err
	}
	for _, name := range owners {
		if err := sweep(record.OfOwner(name)); err != nil {
			return moved, err
		}
	}
	return moved, sweep(record.Mount)
}

func (s *Store) sweepUsageOf(ctx context.Context, of record.Subject, now record.Time, dated func(record.Time) record.Time) (moved bool, err error) {
	defer s.holdSubject(of)()
	gone, err := s.gone(ctx, of)
	if err != nil {
		return false, err
	}
	base, found, err := read[usageBase](ctx, s.storage, usagePath(of))
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return false, err
	}
	if !gone && found {
		if gone, err = s.forgotten(ctx, of, &base.Usage, now); err != nil {
			return false, err
		}
	}
	switch {
	case gone:
		return false, remove(ctx, s.storage, usagePath(of))
	case !found || !base.Usage.Date(dated):
		return false, nil
	default:
		return true, write(ctx, s.storage, usagePath(of), base)
	}
}

// forgotten tells whether an owner has no key any more and nothing of what is shown
// of days: who ends a customer's last key still has a month in which to write the
// bill. After that nobody could tell its counters from those of an owner that never
// was.
func (s *Store) forgotten(ctx context.Context, of record.Subject, u *record.Usage, now record.Time) (bool, error) {
	name, isOwner := of.Owner()
	if !isOwner || u.Lately(now, of) {
		return false, nil
	}
	used, err := s.hasHints(ctx, name)
	return !used, err
}
