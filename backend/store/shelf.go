package store

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Shelf is entries of one kind that one part of a mount keeps in memory and alone
// writes, behind what it answers. So nothing here locks, caches or tells.
type Shelf[V any] struct {
	store  *Store
	folder string
}

// Honeytokens are the keys that were planted, by their names.
func (s *Store) Honeytokens() Shelf[record.Honeytoken] {
	return Shelf[record.Honeytoken]{s, honeytokenFolder}
}

// Alerts are those that are open, by their names.
func (s *Store) Alerts() Shelf[record.Alert] {
	return Shelf[record.Alert]{s, alertFolder}
}

// Names are those of all entries, in byte order.
func (s Shelf[V]) Names(ctx context.Context) ([]string, error) { return s.store.names(ctx, s.folder) }

// Get is the entry of this name.
func (s Shelf[V]) Get(ctx context.Context, name string) (V, bool, error) {
	return read[V](ctx, s.store.storage, s.folder+name)
}

// Put writes an entry.
func (s Shelf[V]) Put(ctx context.Context, name string, v V) error {
	return write(ctx, s.store.storage, s.folder+name, v)
}

// Remove removes an entry, whether or not there is one.
func (s Shelf[V]) Remove(ctx context.Context, name string) error {
	return remove(ctx, s.store.storage, s.folder+name)
}
