package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"vault-plugin-secrets-apikeys/backend/record"
)

// deltaBytes is about how much a delta holds, far below what Vault's storage takes.
const deltaBytes = 256 << 10

// usageDelta is what was used between two flushes, or a part of it.
type usageDelta struct {
	Usage map[record.Subject]*record.Usage `json:"usage"`
	// At is when all was written that was used before, in this delta and those before
	// it; 0 where other parts follow.
	At record.Time `json:"at"`

	number uint64
	bytes  int // about how long it is
}

// Intact tells whether d is of subjects: what takes another text for one finds no
// place in storage for it.
func (d usageDelta) Intact() bool {
	for of, usage := range d.Usage {
		if !of.Valid() || usage == nil {
			return false
		}
	}
	return len(d.Usage) > 0
}

// usageBytes is about how long what was used of one subject is in a delta.
func usageBytes(of record.Subject, u *record.Usage) int {
	return len(of) + 80 + 36*len(u.Versions) + 36*len(u.Codes) + 44*(len(u.Hours)+len(u.Days))
}

// usageBase is the usage of one subject through a delta.
type usageBase struct {
	Usage   record.Usage `json:"usage"`
	Through uint64       `json:"through"`
}

// merge puts in what deltas say of a subject that is not in yet.
func (b *usageBase) merge(of record.Subject, deltas []usageDelta) (merged bool) {
	for _, d := range deltas {
		if d.number <= b.Through {
			continue
		}
		if usage := d.Usage[of]; usage != nil {
			b.Usage.Add(*usage, of)
		}
		b.Through, merged = d.number, true
	}
	return merged
}

// readDeltas answers the deltas in storage, and the number after them. One that
// cannot be read makes all usage unknown, and holds up no flush.
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
			for of, usage := range d.Usage {
				d.bytes += usageBytes(of, usage)
			}
			deltas = append(deltas, d)
		}
	}
	slices.SortFunc(deltas, func(a, b usageDelta) int { return int(int64(a.number) - int64(b.number)) })
	return deltas, next, damaged, nil
}

func deltaPath(number uint64) string { return fmt.Sprint(deltaFolder, number) }
