package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Last uses lie in storage as what was used since the last flush, in numbered
// deltas, until they are merged into an entry of each key: its base. So a flush
// costs what was used, however many keys there are.
//
// A delta keeps its number and its content for ever, and a base says through which
// number deltas are in it. So however often one is written or merged, it counts
// once, which what is not merged by maximum needs.

// deltaBytes is about how much a delta holds, far below what Vault's storage takes.
const deltaBytes = 256 << 10

// Beyond so much the deltas, all of which are in memory, are to be merged.
const (
	manyDeltas = 64
	manyBytes  = 16 << 20
)

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

// markTime is how old what storage knows of the last flush may become where nobody
// uses a key.
const markTime = record.Seconds(300)

// WriteUses writes what was added, which is all that was used until now. What
// storage may not have after an error is written again, as it was and before
// anything else, by the next call.
func (s *Store) WriteUses(ctx context.Context, now record.Time) error {
	if err := s.loadUsage(ctx); err != nil {
		return err
	}
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	if err := s.writeSealed(ctx); err != nil {
		return err
	}
	u.seal(now)
	if err := s.writeSealed(ctx); err != nil {
		return err
	}
	if !u.begun || u.written <= now && now < u.written.Add(markTime) {
		return nil
	}
	return s.putUsageMark(ctx, u.mark, now)
}

// seal makes deltas of what was added until now.
func (u *usageLog) seal(now record.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var d *usageDelta
	for id, uses := range u.open {
		if d == nil || d.bytes+usageBytes(uses) > deltaBytes {
			u.sealed = append(u.sealed, usageDelta{number: u.next, Uses: make(map[string]record.Uses)})
			u.next++
			d = &u.sealed[len(u.sealed)-1]
		}
		d.Uses[id] = uses
		d.bytes += usageBytes(uses)
	}
	if d != nil {
		d.At = now
	}
	u.open = nil
}

func (s *Store) writeSealed(ctx context.Context) error {
	u := &s.usage
	for len(u.sealed) > 0 {
		d := u.sealed[0]
		if err := write(ctx, s.storage, deltaPath(d.number), d); err != nil {
			return err
		}
		u.mu.Lock()
		u.sealed = slices.Clone(u.sealed[1:])
		u.keep(slices.Concat(u.stored, []usageDelta{d}))
		if d.At != 0 {
			u.written = d.At
		}
		u.mu.Unlock()
	}
	return nil
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
	u.mark, u.damaged, u.next = mark, damaged, max(u.next, mark.Next, next, 1)
	u.seen.Store(changes + 1)
	return nil
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

func usagePath(id string) string { return shardPath(usageKeys, id) }
