package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// ErrIDTaken is returned when a new key's random id belongs to another key.
var ErrIDTaken = errors.New("the key id is taken")

// Key is the record of this id.
func (s *Store) Key(ctx context.Context, id string) (record.Key, bool, error) {
	return s.keys.get(ctx, id)
}

// PeekKey is Key for those who pass over many: it leaves the cache as it is.
func (s *Store) PeekKey(ctx context.Context, id string) (record.Key, bool, error) {
	return s.keys.peek(ctx, id)
}

// GlanceKey is PeekKey for those who pass over the same ones as others will: what it
// reads stays in the cache, where it pushes out nothing that is in use.
func (s *Store) GlanceKey(ctx context.Context, id string) (record.Key, bool, error) {
	return s.keys.glance(ctx, id)
}

// CreateKey stores a new key. The caller holds the role, the owner and
// the static name.
//
// Order: the owner, the static name, the hints, the record. A crash in between leaves
// a name that is free, or a hint that nobody follows: both lead to no record, and tidy
// removes them. There is no moment at which a key has a name that does not lead to it.
func (s *Store) CreateKey(ctx context.Context, k record.Key) error {
	if k.Owner != "" {
		if err := s.ensureOwner(ctx, k.Owner); err != nil {
			return err
		}
	}
	if k.StaticName != "" {
		if err := s.nameKey(ctx, k.StaticName, k.ID); err != nil {
			return err
		}
	}
	_, err := s.keys.update(ctx, k.ID, writing[record.Key]{hold: alone, quiet: true}, func(_ record.Key, taken bool) (record.Key, error) {
		if taken {
			return k, ErrIDTaken
		}
		return k, s.writeHints(ctx, k)
	})
	return err
}

// UpdateKey is the only way in which the record of an existing key changes.
// change gets what storage holds now and may refuse; ErrUnchanged writes
// nothing and is no error. A record that is not there is ErrKeyNotFound and is
// never made. Where the key may now live longer, its hints are written first.
func (s *Store) UpdateKey(ctx context.Context, id string, change func(*record.Key) error) (record.Key, error) {
	return s.updateKey(ctx, id, writing[record.Key]{hold: alone}, change)
}

// EndKey is UpdateKey for what ends or disables a key: it goes before whatever
// else waits for the key.
func (s *Store) EndKey(ctx context.Context, id string, change func(*record.Key) error) (record.Key, error) {
	return s.updateKey(ctx, id, writing[record.Key]{hold: urgent}, change)
}

// RenewKey is UpdateKey for what moves the end of a version. Where it only lives longer,
// nobody has to hear of that at once.
func (s *Store) RenewKey(ctx context.Context, id string, change func(*record.Key) error) (record.Key, error) {
	return s.reviseKey(ctx, id, func(k, before *record.Key) Kind {
		if k.OnlyRenewed(before) {
			return KeyRevised
		}
		return KeyChanged
	}, change)
}

// SettleKey is UpdateKey for what writes down, for good, how a key is judged already, and
// forgets hashes that prove nothing any more. It may do so for all keys in a row: nobody
// has to hear of the one at once, or of the other ever.
func (s *Store) SettleKey(ctx context.Context, id string, change func(*record.Key) error) (record.Key, error) {
	return s.reviseKey(ctx, id, func(k, before *record.Key) Kind {
		if k.OnlyForgot(before) {
			return ""
		}
		return KeyRevised
	}, change)
}

// reviseKey is UpdateKey where it depends on the change how it is told, as of.
func (s *Store) reviseKey(ctx context.Context, id string, of func(k, before *record.Key) Kind, change func(*record.Key) error) (record.Key, error) {
	var told Kind
	defer func() {
		if told != "" {
			s.tell(told, id)
		}
	}()
	return s.updateKey(ctx, id, writing[record.Key]{hold: alone, quiet: true}, func(k *record.Key) error {
		before := k.Clone()
		err := change(k)
		if err == nil {
			told = of(k, &before)
		}
		return err
	})
}

// RehashKey is UpdateKey for what leaves the key as it was to all who decide by it.
func (s *Store) RehashKey(ctx context.Context, id string, change func(*record.Key) error) (record.Key, error) {
	return s.updateKey(ctx, id, writing[record.Key]{hold: alone, quiet: true}, change)
}

func (s *Store) updateKey(ctx context.Context, id string, w writing[record.Key], change func(*record.Key) error) (record.Key, error) {
	if !apikey.ValidID(id) {
		return record.Key{}, record.ErrKeyNotFound
	}
	return s.keys.update(ctx, id, w, func(k record.Key, found bool) (record.Key, error) {
		if !found {
			return k, record.ErrKeyNotFound
		}
		until := k.LastsUntil()
		if err := change(&k); err != nil || k.LastsUntil() <= until {
			return k, err
		}
		return k, s.writeHints(ctx, k)
	})
}

// DeleteKey removes the record and then its hints and its static name. keep may refuse under the
// lock by returning true; it gets nil when the record cannot be read. What is not
// there is no error; deleted tells whether there was a record.
func (s *Store) DeleteKey(ctx context.Context, id string, keep func(*record.Key) bool) (deleted bool, err error) {
	k, deleted, err := s.deleteKey(ctx, id, false, keep)
	if deleted && k.StaticName != "" {
		_ = s.FreeName(ctx, k.StaticName, id) // it is free in any case; the entry is tidy's
	}
	return deleted, err
}

// RemoveKey is DeleteKey for a key that ended long ago, or that nobody was told of. It
// leaves the static name, which may be held, to tidy.
func (s *Store) RemoveKey(ctx context.Context, id string, keep func(*record.Key) bool) (removed bool, err error) {
	_, removed, err = s.deleteKey(ctx, id, true, keep)
	return removed, err
}

func (s *Store) deleteKey(ctx context.Context, id string, quiet bool, keep func(*record.Key) bool) (k record.Key, deleted bool, err error) {
	if !apikey.ValidID(id) {
		return k, false, nil
	}
	defer s.keys.locks.hold(id, urgent)()
	k, found, err := s.keys.fresh(ctx, id)
	unreadable := errors.Is(err, ErrUnreadable)
	switch {
	case unreadable && keep(nil):
		return k, false, err
	case unreadable:
	case err != nil, !found, keep(&k):
		s.keys.decided(id)
		return k, false, err
	}
	if err := s.keys.remove(ctx, id, quiet); err != nil {
		return k, false, err
	}
	// The key is gone, which is what was asked for; what stays behind, as the
	// hints of an unreadable record must, is tidy's.
	if unreadable || s.removeHints(ctx, k) == nil {
		_ = remove(ctx, s.storage, quotaPath(id))
		_ = remove(ctx, s.storage, usagePath(record.OfKey(id)))
	}
	return k, true, nil
}

// Quota is what was reserved of a key's quota.
func (s *Store) Quota(ctx context.Context, id string) (record.Quota, bool, error) {
	return read[record.Quota](ctx, s.storage, quotaPath(id))
}

// PutQuota writes what is reserved of a key's quota. Only package limit does,
// under its own lock.
func (s *Store) PutQuota(ctx context.Context, id string, q record.Quota) error {
	return write(ctx, s.storage, quotaPath(id), q)
}

// EachKey calls visit with the ids of all keys after the given one, in byte
// order, until visit answers false.
func (s *Store) EachKey(ctx context.Context, after string, visit func(id string) (more bool, err error)) error {
	return s.walk(ctx, keyFolder, after, visit)
}

// EachKeyOf is EachKey for the keys of one owner. An id without a record may be
// among them.
func (s *Store) EachKeyOf(ctx context.Context, owner, after string, visit func(id string) (more bool, err error)) error {
	return s.walk(ctx, ownerKeys+owner+"/", after, visit)
}

func quotaPath(id string) string { return shardPath(quotaFolder, id) }

func keyPath(id string) string { return shardPath(keyFolder, id) }

// shardPath spreads ids over 3,844 folders, so that no folder's listing is large.
func shardPath(folder, id string) string {
	return folder + id[:shardIDChars] + "/" + id
}
