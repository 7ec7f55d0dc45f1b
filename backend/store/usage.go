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

// Last uses lie in storage as what was used since the last flush, in numbered
// deltas, until they are merged into an entry of each key: its base. So a flush
// costs what was used, however many keys there are.
//
// A delta keeps its number and its content for ever, and a base says through which
// number deltas are in it. So however often one is written or merged, it counts
// once, which what is not merged by maximum needs.

// usageLog is the deltas of a mount, and what comes into the next ones. Slices are
// replaced and never changed: who has one keeps it.
type usageLog struct {
	compacting sync.Mutex // held over a change of the bases
	writing    sync.Mutex // held over a change of the other entries

	changes, seen atomic.Uint64 // by other nodes, and how many were read

	mu      sync.Mutex
	open    map[string]record.Uses // in no delta yet
	sealed  []usageDelta           // in order, of which nobody knows that storage has them
	stored  []usageDelta           // in order
	bytes   int                    // of the stored ones
	next    uint64
	written record.Time // all uses until then are stored, whatever happens
	mark    usageMark
	damaged error // some delta cannot be read
	begun   bool  // this process has left its mark
}

// Uses are the last uses of one key, as stored or added. The deltas are looked at
// before the base: those that are merged meanwhile are in it.
func (s *Store) Uses(ctx context.Context, id string) (record.Uses, error) {
	if err := s.loadUsage(ctx); err != nil {
		return nil, err
	}
	u := &s.usage
	u.mu.Lock()
	deltas, added, err := slices.Concat(u.stored, u.sealed), u.open[id], u.damaged
	u.mu.Unlock()
	if err != nil {
		return nil, err
	}
	base, _, err := read[usageBase](ctx, s.storage, usagePath(id))
	return base.merge(id, deltas).Uses.Merge(added), err
}

// AddUses takes last uses, for WriteUses to write them.
func (s *Store) AddUses(uses map[string]record.Uses) {
	u := &s.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = make(map[string]record.Uses, len(uses))
	}
	for id, of := range uses {
		u.open[id] = u.open[id].Merge(of)
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

func usagePath(id string) string { return shardPath(usageKeys, id) }
