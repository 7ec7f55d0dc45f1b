// Package usage counts the decisions of one mount, and by them remembers when keys
// were last used.
//
// A decision only touches memory. What was decided is flushed to storage from time
// to time, at the cost of what was used, and never touches a key's record. A crash
// loses what came since the last flush (for idle_timeout see package idle); what had
// been flushed is counted once, whatever became of the answer.
//
// What is in memory is bounded by the keys that there are: of a text that is no key
// only its number is kept, whoever sends how many.
package usage

import (
	"context"
	"fmt"
	"sync"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Storage is where usage is kept between processes.
type Storage interface {
	// Usage is that of one subject, written or added.
	Usage(ctx context.Context, of record.Subject) (record.Usage, error)
	// AddUsage takes what was decided, which Usage answers from then on. It waits
	// for nothing.
	AddUsage(decided map[record.Subject]*record.Usage)
	// WriteUsage writes what was added, which is all until now, at the next call
	// where it fails.
	WriteUsage(ctx context.Context, now record.Time) error
}

// partCount spreads counting over independent locks.
const partCount = 64

// Tracker is the usage of one mount. It is safe for concurrent use.
type Tracker struct {
	storage  Storage
	writable func() bool
	known    *cache.Cache[string, record.Uses]
	parts    [partCount]part

	flushing sync.Mutex
}

// New makes a tracker that remembers the last uses of about size keys beyond those
// counted since the last flush. writable tells whether this node's counts can reach
// storage.
func New(storage Storage, size int, writable func() bool) *Tracker {
	t := &Tracker{
		storage:  storage,
		writable: writable,
		known:    cache.New[string, record.Uses](size),
	}
	for i := range t.parts {
		t.parts[i].tallies = make(map[string]*tally)
	}
	return t
}

// Configure changes of how many keys the last uses are remembered.
func (t *Tracker) Configure(c record.Config) { t.known.Resize(c.VerifyCacheSize) }

// Count counts a decision of a key of this owner; one of a text that is no key has
// neither id nor owner.
func (t *Tracker) Count(id, owner string, d record.Decided) {
	if !t.writable() {
		return // it could never be written down, and nobody asks here: see idle.Ends
	}
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally(id, owner).Count(d)
}

// Use notes that a key was used through one that was delegated from it.
func (t *Tracker) Use(id, owner string, now record.Time) {
	if !t.writable() {
		return
	}
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally(id, owner).Use(0, now)
}

// Uses are the last uses of a key, as far as this node knows.
func (t *Tracker) Uses(ctx context.Context, id string) (record.Uses, error) {
	fresh := t.part(id).uses(id)
	uses, ok, ticket := t.known.Get(id)
	if !ok {
		usage, err := t.storage.Usage(ctx, record.OfKey(id))
		if err != nil {
			return record.Uses{}, fmt.Errorf("load last use: %w", err)
		}
		uses = usage.Uses
		t.known.Fill(id, uses, ticket)
	}
	return uses.Merge(fresh), nil
}

// Usage is that of a subject until now. Only the node that may write knows it.
func (t *Tracker) Usage(ctx context.Context, of record.Subject) (record.Usage, error) {
	if !t.writable() {
		return record.Usage{}, record.ErrElsewhere
	}
	t.handOver()
	return t.storage.Usage(ctx, of)
}

// Refresh drops what is remembered beside the counts, because another node wrote.
func (t *Tracker) Refresh() { t.known.Clear() }

// Forget drops what is remembered of a key that is gone. Its owner and the mount
// keep what was counted of it.
func (t *Tracker) Forget(id string) {
	p := t.part(id)
	p.mu.Lock()
	if gone := p.tallies[id]; gone != nil {
		sums := make(map[record.Subject]*record.Usage)
		gone.sumUp(sums)
		t.storage.AddUsage(sums)
		delete(p.tallies, id)
	}
	p.mu.Unlock()
	t.known.Drop(id)
}

// Flush writes what was counted since the last flush. What could not be written is
// written by the next.
func (t *Tracker) Flush(ctx context.Context, now record.Time) error {
	if !t.writable() {
		return nil
	}
	t.flushing.Lock()
	defer t.flushing.Unlock()
	t.handOver()
	if err := t.storage.WriteUsage(ctx, now); err != nil {
		return fmt.Errorf("flush usage: %w", err)
	}
	return nil
}

func (t *Tracker) handOver() {
	for i := range t.parts {
		t.parts[i].handOver(t.storage, t.known)
	}
}

func (t *Tracker) part(id string) *part {
	if id == "" {
		return &t.parts[0]
	}
	// Ids are uniformly random: one byte spreads them.
	return &t.parts[(int(id[0])*31+int(id[len(id)-1]))%partCount]
}
