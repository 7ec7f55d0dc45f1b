package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
)

// table is the records of one kind: where they lie, the cache in front of them,
// and a lock for each name.
type table[V any] struct {
	storage logical.Storage
	path    func(name string) string
	// absence tells whether to remember that a name has no record. Not for keys:
	// ids without a record are what an attacker would fill the cache with.
	absence bool
	// named, where it is set, tells whether a record is the one of this name, and
	// the names in it are names.
	named func(v V, name string) bool
	cache *cache.Cache[string, slot[V]]
	// tell is called after each write that is not quiet, also one that failed.
	tell   func(name string)
	doubts doubts
	// locks are held from the read that a write is decided by to the write.
	locks locks
}

type slot[V any] struct {
	value V
	found bool
}

// newTable makes a table whose cache holds what weighs about size together.
func newTable[V any](s *Store, kind Kind, size int, weigh func(*V) int, absence bool, path func(string) string) *table[V] {
	return &table[V]{
		storage: s.storage,
		path:    path,
		absence: absence,
		tell:    func(name string) { s.tell(kind, name) },
		cache:   cache.NewWeighed[string](size, func(s slot[V]) int { return weigh(&s.value) }),
	}
}

// get answers from the cache, else from storage.
func (t *table[V]) get(ctx context.Context, name string) (V, bool, error) {
	s, ok, ticket := t.cache.Get(name)
	if ok {
		return s.value, s.found, nil
	}
	v, found, err := t.fresh(ctx, name)
	if err == nil && (found || t.absence) {
		t.cache.Fill(name, slot[V]{v, found}, ticket)
	}
	return v, found, err
}

// peek is get without taking the record into the cache: what walks over all
// records must not push out those in use.
func (t *table[V]) peek(ctx context.Context, name string) (V, bool, error) {
	if s, ok := t.cache.Peek(name); ok {
		return s.value, s.found, nil
	}
	return t.fresh(ctx, name)
}

// glance is peek that takes the record into the cache where there is room for it.
func (t *table[V]) glance(ctx context.Context, name string) (V, bool, error) {
	s, ok, ticket := t.cache.Glance(name)
	if ok {
		return s.value, s.found, nil
	}
	v, found, err := t.fresh(ctx, name)
	if err == nil && found {
		t.cache.FillRoom(name, slot[V]{v, true}, ticket)
	}
	return v, found, err
}

// fresh answers from storage. A record that calls itself by another name than it
// lies under is damaged: what is done by that name would meet another record.
func (t *table[V]) fresh(ctx context.Context, name string) (v V, found bool, err error) {
	v, found, err = read[V](ctx, t.storage, t.path(name))
	if err == nil && found && t.named != nil && !t.named(v, name) {
		return v, false, fmt.Errorf("read %s: %w", t.path(name), errDamaged)
	}
	return v, found, err
}

// writing is how a record is written.
type writing[V any] struct {
	hold hold
	// quiet keeps the write from being told: see OnChange.
	quiet bool
	// lost, where it is set, is put in the place of a record that cannot be read.
	lost func() V
}

// update is the way in which records change: lock, read again from storage,
// change, write, update the cache, tell, unlock. change gets what storage holds
// now, and whether that is anything. It may refuse; ErrUnchanged writes nothing
// and is no error.
func (t *table[V]) update(ctx context.Context, name string, w writing[V], change func(v V, found bool) (V, error)) (V, error) {
	defer t.locks.hold(name, w.hold)()
	v, found, err := t.fresh(ctx, name)
	if w.lost != nil && errors.Is(err, ErrUnreadable) {
		v, found, err = w.lost(), true, nil
	}
	if err != nil {
		return v, err
	}
	if v, err = change(v, found); err != nil {
		t.decided(name)
		return v, record.Except(err, record.ErrUnchanged)
	}
	return v, t.put(ctx, name, v, w.quiet)
}

// decided is called where storage was read, and has decided that nothing is to be
// written. The cache may still say otherwise, where an earlier write failed and took
// effect late; whoever repeats a revocation must not be told of one that verify, or a
// gate, does not know.
func (t *table[V]) decided(name string) {
	t.cache.Drop(name)
	if t.doubts.has(name) {
		t.tell(name)
	}
}

// put writes the record. The caller holds the lock. After a failure nobody knows
// what storage holds, so the cache forgets; a panic, which the mount survives, is
// such a failure.
func (t *table[V]) put(ctx context.Context, name string, v V, quiet bool) error {
	written := false
	defer func() {
		if !written {
			t.cache.Drop(name)
		}
		t.doubts.note(name, written)
		if !quiet {
			t.tell(name)
		}
	}()
	if err := write(ctx, t.storage, t.path(name), v); err != nil {
		return err
	}
	t.cache.Put(name, slot[V]{v, true})
	written = true
	return nil
}

// discard removes the record if it is there and to go.
func (t *table[V]) discard(ctx context.Context, name string, quiet bool, goes func(V) bool) error {
	defer t.locks.hold(name, alone)()
	v, found, err := t.fresh(ctx, name)
	if err != nil || !found || !goes(v) {
		return err
	}
	return t.remove(ctx, name, quiet)
}

// remove deletes the record. The caller holds the lock.
func (t *table[V]) remove(ctx context.Context, name string, quiet bool) error {
	removed := false
	defer func() {
		t.cache.Drop(name)
		t.doubts.note(name, removed)
		if !quiet {
			t.tell(name)
		}
	}()
	err := remove(ctx, t.storage, t.path(name))
	removed = err == nil
	return err
}
