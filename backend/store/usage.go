package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Usage lies in storage as what was used since the last flush, in numbered deltas,
// until they are merged into an entry of each subject: its base. So a flush costs
// what was used, however many keys there are.
//
// A delta keeps its number and its content for ever, and a base says through which
// number deltas are in it. So however often one is written or merged, it counts
// once: counters are added up, and what were added twice would stay wrong.

// usageLog is the deltas of a mount, and what comes into the next ones. Slices are
// replaced and never changed: who has one keeps it.
type usageLog struct {
	compacting sync.Mutex // held over a change of the bases
	writing    sync.Mutex // held over a change of the other entries

	changes, seen atomic.Uint64 // by other nodes, and how many were read

	mu      sync.Mutex
	open    map[record.Subject]*record.Usage // in no delta yet
	sealed  []usageDelta                     // in order, of which nobody knows that storage has them
	stored  []usageDelta                     // in order
	bytes   int                              // of the stored ones
	next    uint64
	written record.Time // all uses until then are stored, whatever happens
	mark    usageMark
	damaged error // some delta cannot be read
	begun   bool  // this process has left its mark
}

// Usage is that of one subject, as stored or added. The deltas are looked at before
// the base: those that are merged meanwhile are in it.
func (s *Store) Usage(ctx context.Context, of record.Subject) (record.Usage, error) {
	if err := s.loadUsage(ctx); err != nil {
		return record.Usage{}, err
	}
	for before := uint64(0); ; {
		deltas, added, next, err := s.usage.unmerged(of)
		if err != nil {
			return record.Usage{}, err
		}
		base, _, err := read[usageBase](ctx, s.storage, usagePath(of))
		if err != nil {
			return record.Usage{}, err
		}
		if base.Through >= next && next > before {
			before = next // what was added is in it, too
			continue
		}
		base.merge(of, deltas)
		base.Usage.Add(added, of)
		return base.Usage, nil
	}
}

// unmerged is what may not be in the base of a subject: deltas, and what was added
// for those from next on.
func (u *usageLog) unmerged(of record.Subject) (deltas []usageDelta, added record.Usage, next uint64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if open := u.open[of]; open != nil {
		added = open.Clone()
	}
	return slices.Concat(u.stored, u.sealed), added, u.next, u.damaged
}

// AddUsage takes what was decided of subjects, for WriteUsage to write it.
func (s *Store) AddUsage(decided map[record.Subject]*record.Usage) {
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = make(map[record.Subject]*record.Usage, len(decided))
	}
	for of, usage := range decided {
		if u.open[of] == nil {
			u.open[of] = new(record.Usage)
		}
		u.open[of].Add(*usage, of)
	}
}

// keep takes deltas for those that are stored.
func (u *usageLog) keep(deltas []usageDelta) {
	u.stored, u.bytes = deltas, 0
	for _, d := range deltas {
		u.bytes += d.bytes
	}
}

// loadUsage reads the deltas that are not in memory, where this process has not
// looked since another node wrote.
func (s *Store) loadUsage(ctx context.Context) error {
	u := &s.usage
	if u.seen.Load() > u.changes.Load() {
		return nil
	}
	u.writing.Lock()
	defer u.writing.Unlock()
	changes := u.changes.Load()
	if u.seen.Load() > changes {
		return nil
	}
	mark, _, err := read[usageMark](ctx, s.storage, usageMarkPath)
	if errors.Is(err, ErrUnreadable) {
		// Beyond all numbers that were given, which were not as many as seconds.
		mark, err = usageMark{Next: uint64(time.Now().Unix())}, nil
	}
	if err != nil {
		return err
	}
	stored, next, damaged, err := s.readDeltas(ctx)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keep(stored)
	u.written = max(u.written, mark.At)
	for _, d := range stored {
		u.written = max(u.written, d.At)
	}
	if !u.begun { // what this process left is known, also where it is damaged since
		u.mark = mark
	}
	u.damaged, u.next = damaged, max(u.next, mark.Next, next, 1)
	u.seen.Store(changes + 1)
	return nil
}

// usagePath is that of a subject's base: keys are spread, as their records are.
func usagePath(of record.Subject) string {
	if id, isKey := of.Key(); isKey {
		return shardPath(usageKeys, id)
	}
	return usageFolder + string(of)
}
