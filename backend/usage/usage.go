// Package usage remembers when keys were last used.
//
// A verification only touches memory. What was touched is flushed to storage
// from time to time, merged into few entries that each hold many keys; it never
// touches a key's record. A crash loses at most what one flush interval
// gathered, which is why, after one, a stored time counts for that much later:
// no key is taken for idle too early.
package usage

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Storage is where last uses are kept between processes.
type Storage interface {
	// Uses are those of one key.
	Uses(ctx context.Context, id string) (record.Uses, error)
	// MergeUses merges all of these into what is stored, and answers what is
	// stored now.
	MergeUses(ctx context.Context, uses map[string]record.Uses) (merged map[string]record.Uses, err error)
}

// partCount spreads touches over independent locks.
const partCount = 64

// maxIdled bounds the keys that are known to have ended by idleness before their
// records say so.
const maxIdled = 65536

// Tracker is the last uses of one mount's keys. It is safe for concurrent use.
type Tracker struct {
	storage Storage
	known   *cache.Cache[string, seen]
	idled   *cache.Cache[string, struct{}]
	parts   [partCount]part

	flushing sync.Mutex

	mu      sync.Mutex
	started record.Time    // when this process took over
	slack   record.Seconds // what a crash before may have lost
}

type part struct {
	mu      sync.Mutex
	touched map[string]record.Uses // not flushed yet
	leaving map[string]record.Uses // on their way to storage
}

// seen is what is known of one key.
type seen struct {
	uses record.Uses
	// exact tells that this process saw the last use itself.
	exact bool
}

// New makes a tracker that remembers about size keys beyond those touched since
// the last flush.
func New(storage Storage, size int) *Tracker {
	t := &Tracker{
		storage: storage,
		known:   cache.New[string, seen](size),
		idled:   cache.New[string, struct{}](maxIdled),
	}
	for i := range t.parts {
		t.parts[i].touched = make(map[string]record.Uses)
	}
	return t
}

// Recover tells that uses until slack after what is stored may have been lost,
// because the process before did not end in order.
func (t *Tracker) Recover(now record.Time, slack record.Seconds) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started, t.slack = now, slack
}

// Resize changes how many keys are remembered.
func (t *Tracker) Resize(size int) { t.known.Resize(size) }

// Touch notes a use of a version.
func (t *Tracker) Touch(id string, version int, now record.Time) {
	p := t.part(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	if uses := p.touched[id]; uses.Of(version) < now {
		p.touched[id] = uses.Add(record.Use{Version: version, At: now})
	}
}

// Uses are the last uses of a key, as far as this node knows.
func (t *Tracker) Uses(ctx context.Context, id string) (record.Uses, error) {
	s, err := t.see(ctx, id)
	return s.uses, err
}

// ActiveUntil is the latest moment at which a key may have been used, or was
// created: what an idle timeout counts from.
func (t *Tracker) ActiveUntil(ctx context.Context, id string, created record.Time) (record.Time, error) {
	s, err := t.see(ctx, id)
	if err != nil {
		return 0, err
	}
	active := max(created, s.uses.Latest())
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.exact || active >= t.started {
		return active, nil
	}
	return active.Add(t.slack), nil
}

// see is what memory knows of a key, else storage.
func (t *Tracker) see(ctx context.Context, id string) (seen, error) {
	p := t.part(id)
	p.mu.Lock()
	fresh := p.touched[id].Merge(p.leaving[id])
	p.mu.Unlock()
	s, ok, ticket := t.known.Get(id)
	if !ok {
		uses, err := t.storage.Uses(ctx, id)
		if err != nil {
			return seen{}, fmt.Errorf("load last use: %w", err)
		}
		s = seen{uses: uses}
		t.known.Fill(id, s, ticket)
	}
	if len(fresh) > 0 {
		return seen{s.uses.Merge(fresh), true}, nil
	}
	return s, nil
}

// MarkIdle notes that a key was refused as idle, for good.
func (t *Tracker) MarkIdle(id string) { t.idled.Put(id, struct{}{}) }

// Idled tells whether the key was marked.
func (t *Tracker) Idled(id string) bool {
	_, idled, _ := t.idled.Get(id)
	return idled
}

// Forget drops what is remembered of a key that is gone.
func (t *Tracker) Forget(id string) {
	p := t.part(id)
	p.mu.Lock()
	delete(p.touched, id)
	p.mu.Unlock()
	t.known.Drop(id)
	t.idled.Drop(id)
}

// Flush writes what was touched since the last flush. What could not be written
// is kept for the next.
func (t *Tracker) Flush(ctx context.Context) error {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	leaving := make(map[string]record.Uses)
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.Lock()
		p.leaving, p.touched = p.touched, make(map[string]record.Uses)
		maps.Copy(leaving, p.leaving)
		p.mu.Unlock()
	}
	var merged map[string]record.Uses
	var err error
	if len(leaving) > 0 {
		merged, err = t.storage.MergeUses(ctx, leaving)
	}
	for i := range t.parts {
		t.parts[i].settle(t.known, merged, err == nil)
	}
	if err != nil {
		return fmt.Errorf("flush last uses: %w", err)
	}
	return nil
}

// settle moves what left to what is known, or back where it was.
func (p *part) settle(known *cache.Cache[string, seen], merged map[string]record.Uses, written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, uses := range p.leaving {
		if written {
			known.Put(id, seen{merged[id], true})
		} else {
			p.touched[id] = p.touched[id].Merge(uses)
		}
	}
	p.leaving = nil
}

func (t *Tracker) part(id string) *part {
	// Ids are uniformly random: one byte spreads them, as long as ids are not
	// empty.
	return &t.parts[(int(id[0])*31+int(id[len(id)-1]))%partCount]
}
