package store

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/cache"
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
	// locks are held from the read that a write is decided by to the write.
	locks locks
}

type slot[V any] struct {
	value V
	found bool
}

// newTable makes a table whose cache holds what weighs about size together.
func newTable[V any](storage logical.Storage, size int, weigh func(*V) int, absence bool, path func(string) string) *table[V] {
	return &table[V]{
		storage: storage,
		path:    path,
		absence: absence,
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
	if s, ok, _ := t.cache.Get(name); ok {
		return s.value, s.found, nil
	}
	return t.fresh(ctx, name)
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

// put writes the record. The caller holds the lock. After a failure nobody knows
// what storage holds, so the cache forgets; a panic, which the mount survives, is
// such a failure.
func (t *table[V]) put(ctx context.Context, name string, v V) error {
	written := false
	defer func() {
		if !written {
			t.cache.Drop(name)
		}
	}()
	if err := write(ctx, t.storage, t.path(name), v); err != nil {
		return err
	}
	t.cache.Put(name, slot[V]{v, true})
	written = true
	return nil
}

// remove deletes the record. The caller holds the lock.
func (t *table[V]) remove(ctx context.Context, name string) error {
	defer t.cache.Drop(name)
	return remove(ctx, t.storage, t.path(name))
}
