// Package usage remembers when keys were last used.
//
// A verification only touches memory. What was touched is flushed to storage
// from time to time, many keys in one entry; it never touches a key's record. A
// crash loses what came since the last flush: see package idle.
package usage

import (
	"context"
	"fmt"
	"sync"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Storage is where last uses are kept between processes.
type Storage interface {
	// Uses are those of one key, written or added.
	Uses(ctx context.Context, id string) (record.Uses, error)
	// AddUses takes these, which Uses answers from then on. It waits for nothing.
	AddUses(uses map[string]record.Uses)
	// WriteUses writes what was added, which is all until now, at the next call
	// where it fails.
	WriteUses(ctx context.Context, now record.Time) error
}

// partCount spreads touches over independent locks.
const partCount = 64

// Tracker is the last uses of one mount's keys. It is safe for concurrent use.
type Tracker struct {
	storage  Storage
	writable func() bool
	known    *cache.Cache[string, record.Uses]
	parts    [partCount]part

	flushing sync.Mutex
}

type part struct {
	mu      sync.Mutex
	touched map[string]record.Uses // not flushed yet
}

// New makes a tracker that remembers about size keys beyond those touched since
// the last flush. writable tells whether this node's touches can reach storage.
func New(storage Storage, size int, writable func() bool) *Tracker {
	t := &Tracker{
		storage:  storage,
		writable: writable,
		known:    cache.New[string, record.Uses](size),
	}
	for i := range t.parts {
		t.parts[i].touched = make(map[string]record.Uses)
	}
	return t
}

// Configure changes how many keys are remembered.
func (t *Tracker) Configure(c record.Config) { t.known.Resize(c.VerifyCacheSize) }

// Touch notes a use of a version.
func (t *Tracker) Touch(id string, version int, now record.Time) {
	if !t.writable() {
		return // it could never be written down, and nobody asks here: see idle.Ends
	}
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if uses := p.touched[id]; uses.Of(version) < now {
		p.touched[id] = uses.Add(record.Use{Version: version, At: now})
	}
}

// Uses are the last uses of a key, as far as this node knows.
func (t *Tracker) Uses(ctx context.Context, id string) (record.Uses, error) {
	p := t.part(id)
	p.mu.Lock()
	fresh := p.touched[id]
	p.mu.Unlock()
	uses, ok, ticket := t.known.Get(id)
	if !ok {
		var err error
		if uses, err = t.storage.Uses(ctx, id); err != nil {
			return nil, fmt.Errorf("load last use: %w", err)
		}
		t.known.Fill(id, uses, ticket)
	}
	return uses.Merge(fresh), nil
}

// Refresh drops what is remembered beside the touches, because another node
// wrote.
func (t *Tracker) Refresh() { t.known.Clear() }

// Forget drops what is remembered of a key that is gone.
func (t *Tracker) Forget(id string) {
	p := t.part(id)
	p.mu.Lock()
	delete(p.touched, id)
	p.mu.Unlock()
	t.known.Drop(id)
}

// Flush writes what was touched since the last flush. What could not be written
// is written by the next.
func (t *Tracker) Flush(ctx context.Context, now record.Time) error {
	if !t.writable() {
		return nil
	}
	t.flushing.Lock()
	defer t.flushing.Unlock()
	for i := range t.parts {
		t.parts[i].handOver(t.storage, t.known)
	}
	if err := t.storage.WriteUses(ctx, now); err != nil {
		return fmt.Errorf("flush last uses: %w", err)
	}
	return nil
}

// handOver moves what was touched to storage, and to what is known, under the lock:
// whoever asks finds it here or there.
func (p *part) handOver(storage Storage, known *cache.Cache[string, record.Uses]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.touched) == 0 {
		return
	}
	storage.AddUses(p.touched)
	for id, uses := range p.touched {
		if before, ok, _ := known.Get(id); ok {
			known.Put(id, before.Merge(uses))
		} else {
			known.Drop(id) // also from the hands of who reads it now
		}
	}
	p.touched = make(map[string]record.Uses)
}

func (t *Tracker) part(id string) *part {
	// Ids are uniformly random: one byte spreads them, as long as ids are not
	// empty.
	return &t.parts[(int(id[0])*31+int(id[len(id)-1]))%partCount]
}
