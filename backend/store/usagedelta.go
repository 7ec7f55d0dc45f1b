package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// deltaBytes is about how much a delta holds, far below what Vault's storage takes.
const deltaBytes = 256 << 10

// usageDelta is what was used between two flushes, or a part of it.
type usageDelta struct {
	Uses map[string]record.Uses `json:"uses"`
	// At is when all was written that was used before, in this delta and those before
	// it; 0 where other parts follow.
	At record.Time `json:"at"`

	number uint64
	bytes  int // about how long it is
}

// Intact tells whether d is of keys: what takes another text for an id finds no
// place in storage for it.
func (d usageDelta) Intact() bool {
	for id := range d.Uses {
		if !apikey.ValidID(id) {
			return false
		}
	}
	return len(d.Uses) > 0
}

// usageBytes is about how long what was used of one key is in a delta.
func usageBytes(uses record.Uses) int { return 24 + 48*len(uses) }

// usageBase is the last uses of one key through a delta.
type usageBase struct {
	Uses    record.Uses `json:"uses"`
	Through uint64      `json:"through"`
}

// merge puts in what deltas say of a key that is not in yet.
func (b usageBase) merge(id string, deltas []usageDelta) usageBase {
	for _, d := range deltas {
		if d.number > b.Through {
			b.Uses, b.Through = b.Uses.Merge(d.Uses[id]), d.number
		}
	}
	return b
}

// readDeltas answers the deltas in storage, and the number after them. One that
// cannot be read makes all last uses unknown, and holds up no flush.
func (s *Store) readDeltas(ctx context.Context) (deltas []usageDelta, next uint64, damaged, err error) {
	u := &s.usage
	names, err := s.names(ctx, deltaFolder)
	if err != nil {
		return nil, 0, nil, err
	}
	for _, name := range names {
		number, err := strconv.ParseUint(name, 10, 63)
		if err != nil || len(u.sealed) > 0 && number >= u.sealed[0].number {
			continue // one whose answer was lost is known as it is
		}
		next = max(next, number+1)
		at := slices.IndexFunc(u.stored, func(d usageDelta) bool { return d.number == number })
		if at >= 0 {
			deltas = append(deltas, u.stored[at])
			continue
		}
		d, found, err := read[usageDelta](ctx, s.storage, deltaPath(number))
		switch {
		case errors.Is(err, ErrUnreadable):
			damaged = err
		case err != nil:
			return nil, 0, nil, err
		case found:
			d.number = number
			for _, uses := range d.Uses {
				d.bytes += usageBytes(uses)
			}
			deltas = append(deltas, d)
		}
	}
	slices.SortFunc(deltas, func(a, b usageDelta) int { return int(int64(a.number) - int64(b.number)) })
	return deltas, next, damaged, nil
}

func deltaPath(number uint64) string { return fmt.Sprint(deltaFolder, number) }
