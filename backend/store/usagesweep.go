package store

import (
	"context"
	"errors"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// SweepUsage removes the last uses of keys that are gone, and moves the others to
// when dated says that they were. It tells whether any moved.
func (s *Store) SweepUsage(ctx context.Context, step func(), dated func(record.Time) record.Time) (moved bool, err error) {
	names, err := s.names(ctx, usageFolder)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if usageFolder+name == usageMarkPath {
			continue
		}
		of, err := s.sweepUsageShard(ctx, usageFolder+name, step, dated)
		if moved = moved || of; err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// sweepUsageShard looks at the keys first, which takes its time, and holds up the
// flush only for the write.
func (s *Store) sweepUsageShard(ctx context.Context, path string, step func(), dated func(record.Time) record.Time) (moved bool, err error) {
	r, found, err := read[usageRecord](ctx, s.storage, path)
	if errors.Is(err, ErrUnreadable) {
		return false, nil
	}
	if err != nil || !found {
		return false, err
	}
	var gone []string
	for id := range r.Uses {
		step()
		_, found, err := s.keys.peek(ctx, id)
		if err != nil && !errors.Is(err, ErrUnreadable) {
			return false, err
		}
		if err == nil && !found {
			gone = append(gone, id)
		}
	}
	if moved = r.date(dated); len(gone) == 0 && !moved {
		return false, nil
	}
	s.usage.Lock()
	defer s.usage.Unlock()
	defer s.usageChanges.Add(1)
	if r, _, err = read[usageRecord](ctx, s.storage, path); err != nil {
		return false, err
	}
	r.date(dated)
	for _, id := range gone {
		delete(r.Uses, id)
	}
	if len(r.Uses) == 0 {
		return moved, remove(ctx, s.storage, path)
	}
	return moved, write(ctx, s.storage, path, r)
}

// date moves all uses to what dated says of them, and tells whether any moved.
func (r usageRecord) date(dated func(record.Time) record.Time) (moved bool) {
	for id, uses := range r.Uses {
		if at := uses.Date(dated); !slices.Equal(at, uses) {
			r.Uses[id], moved = at, true
		}
	}
	return moved
}
