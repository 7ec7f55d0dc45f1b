package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Owner is the record of this owner, the zero Owner if there is none.
func (s *Store) Owner(ctx context.Context, name string) (record.Owner, error) {
	o, _, err := s.owners.get(ctx, name)
	return o, err
}

// Owners are the names of all owners that have or had keys, or were stopped, in
// byte order.
func (s *Store) Owners(ctx context.Context) ([]string, error) { return s.names(ctx, ownerFolder) }

// HoldOwner keeps the owner from being stopped until release. alone keeps other
// holders out as well, as counting its keys needs. No owner needs no hold.
func (s *Store) HoldOwner(name string, alone bool) (release func()) {
	if name == "" {
		return func() {}
	}
	lock := s.owners.lock(name)
	if alone {
		lock.Lock()
		return lock.Unlock
	}
	lock.RLock()
	return lock.RUnlock
}

// HasOwner tells whether the owner has a record.
func (s *Store) HasOwner(ctx context.Context, name string) (bool, error) {
	_, found, err := s.owners.get(ctx, name)
	return found, err
}

// StopOwner raises the owner's generation, with one write: everything issued to
// it so far is revoked. An owner without keys is stopped all the same.
func (s *Store) StopOwner(ctx context.Context, name, reason string, now record.Time) (record.Owner, error) {
	defer s.HoldOwner(name, true)()
	o, _, err := s.owners.fresh(ctx, name)
	if err != nil {
		return o, err
	}
	o.Raise(reason, now)
	return o, s.owners.put(ctx, name, o)
}

// ensureOwner makes the owner's record with its first key, so that owners can be
// listed without passing over their keys. The caller holds the owner alone if it
// may have no record yet.
func (s *Store) ensureOwner(ctx context.Context, owner string) error {
	found, err := s.HasOwner(ctx, owner)
	if err != nil || found {
		return err
	}
	return s.owners.put(ctx, owner, record.Owner{})
}

// CountKeys counts the owner's keys of one role that have not ended, up to
// limit. The caller holds the owner alone.
//
// It asks as little as it can: where the owner has fewer keys of any kind, their
// names are enough; then the hints; and only where these say that the limit is
// reached, the records, because a hint tells the latest possible end.
func (s *Store) CountKeys(ctx context.Context, owner, role string, limit int, now record.Time, ended func(record.Key) (bool, error)) (int, error) {
	all := 0
	err := s.EachKeyOf(ctx, owner, "", func(string) (bool, error) {
		all++
		return all < limit, nil
	})
	if err != nil || all < limit {
		return all, err
	}
	var hinted []string
	folder := ownerKeys + owner + "/"
	err = s.EachKeyOf(ctx, owner, "", func(id string) (bool, error) {
		h, found, err := read[hint](ctx, s.storage, shardPath(folder, id))
		if errors.Is(err, ErrUnreadable) || err == nil && found && h.Role == role && now < h.ExpiresAt {
			hinted = append(hinted, id)
			err = nil
		}
		return true, err
	})
	if err != nil || len(hinted) < limit {
		return len(hinted), err
	}
	live := 0
	for _, id := range hinted {
		lives, err := s.lives(ctx, id, ended)
		if err != nil {
			return 0, err
		}
		if lives {
			live++
		}
	}
	return live, nil
}
