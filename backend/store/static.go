package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// static is where a static name leads. The key's record names it, too: one that does
// not is not the name's.
type static struct {
	KeyID string `json:"key_id"`
}

// KeyNamed is the id of the key to which a static name leads, "" for none. That the
// key is there, or lives, is not said.
func (s *Store) KeyNamed(ctx context.Context, name string) (id string, err error) {
	n, found, err := read[static](ctx, s.storage, staticFolder+name)
	if err == nil && found && !apikey.ValidID(n.KeyID) {
		err = errDamaged
	}
	return n.KeyID, err
}

// HoldName keeps a static name with the key that it leads to until release. exclusive
// keeps out all who change that key by its name as well. No name needs no hold.
func (s *Store) HoldName(name string, exclusive bool) (release func()) {
	switch {
	case name == "":
		return func() {}
	case exclusive:
		return s.nameHolds.hold(name, alone)
	default:
		return s.nameHolds.hold(name, shared)
	}
}

// nameKey has a static name lead to a key. The caller holds the name.
func (s *Store) nameKey(ctx context.Context, name, id string) error {
	return write(ctx, s.storage, staticFolder+name, static{id})
}

// FreeName takes a static name away from the key of this id, if it leads there.
func (s *Store) FreeName(ctx context.Context, name, id string) error {
	defer s.HoldName(name, true)()
	leads, err := s.KeyNamed(ctx, name)
	if err != nil || leads != id {
		return err
	}
	return remove(ctx, s.storage, staticFolder+name)
}

// EachName calls visit with all static names after the given one, in byte order, until
// visit answers false. The key of one may have ended.
func (s *Store) EachName(ctx context.Context, after string, visit func(name string) (more bool, err error)) error {
	names, err := s.names(ctx, staticFolder)
	for _, name := range names {
		if name <= after {
			continue
		}
		if more, err := visit(name); err != nil || !more {
			return err
		}
	}
	return err
}

// RepairName has a static name lead to its key where its entry cannot be read, and
// answers how many it mended. endedAt is as in RepairHints.
func (s *Store) RepairName(ctx context.Context, name, id string, endedAt func(record.Key) record.Time) (repaired int, err error) {
	if name == "" {
		return 0, nil
	}
	defer s.HoldName(name, true)()
	if _, err := s.KeyNamed(ctx, name); !errors.Is(err, ErrUnreadable) {
		return 0, err
	}
	k, found, err := s.keys.peek(ctx, id)
	if err != nil || !found || endedAt(k) != 0 {
		return 0, err
	}
	return 1, s.nameKey(ctx, name, id)
}

// sweepNames removes static names that lead to no key of theirs. Those that cannot be
// read have no key that lives, or they were mended.
func (l *leftovers) sweepNames(ctx context.Context) error {
	return l.EachName(ctx, "", func(name string) (bool, error) {
		l.step()
		return true, l.sweepName(ctx, name)
	})
}

func (l *leftovers) sweepName(ctx context.Context, name string) error {
	defer l.HoldName(name, true)()
	id, err := l.KeyNamed(ctx, name)
	if err == nil && id != "" {
		k, found, err := l.keys.peek(ctx, id)
		if err != nil || found && k.StaticName == name {
			return record.Except(err, ErrUnreadable)
		}
	}
	if err = record.Except(err, ErrUnreadable); err != nil {
		return err
	}
	l.removed++
	return remove(ctx, l.storage, staticFolder+name)
}
