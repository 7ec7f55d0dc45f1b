package disclose

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// seen reads each record once, and remembers it for as long as one answer is made.
type seen struct {
	keys   once[record.Key]
	roles  once[record.Role]
	owners once[record.Owner]
}

func newSeen(of lineage.Reader) *seen {
	return &seen{newOnce(of.Key), newOnce(of.Role), newOnce(of.Owner)}
}

// Key, Role and Owner are those of lineage.Reader.

func (s *seen) Key(ctx context.Context, id string) (record.Key, bool, error) {
	return s.keys.get(ctx, id)
}

func (s *seen) Role(ctx context.Context, name string) (record.Role, bool, error) {
	return s.roles.get(ctx, name)
}

func (s *seen) Owner(ctx context.Context, name string) (record.Owner, bool, error) {
	return s.owners.get(ctx, name)
}

type once[V any] struct {
	read func(context.Context, string) (V, bool, error)
	of   map[string]was[V]
}

type was[V any] struct {
	value V
	found bool
}

func newOnce[V any](read func(context.Context, string) (V, bool, error)) once[V] {
	return once[V]{read, make(map[string]was[V])}
}

func (o once[V]) get(ctx context.Context, name string) (V, bool, error) {
	if w, read := o.of[name]; read {
		return w.value, w.found, nil
	}
	v, found, err := o.read(ctx, name)
	if err == nil {
		o.of[name] = was[V]{v, found}
	}
	return v, found, err
}
