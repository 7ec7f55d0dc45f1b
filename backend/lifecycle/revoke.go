package lifecycle

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// Revoke is what the operator's path does: it ends the key, all versions, before it
// answers. Repeated, it changes nothing. It needs the key's own record and
// nothing else.
func (e *Engine) Revoke(ctx context.Context, t Target, reason string) (record.Key, error) {
	k, err := e.Find(ctx, t)
	if err != nil {
		return record.Key{}, err
	}
	standing, err := e.standingOrAlone(ctx, k)
	if err != nil {
		return record.Key{}, err
	}
	return e.revoke(ctx, t.ID, reason, func(k *record.Key, _ record.Time) error {
		if t.hides(k) {
			return record.ErrKeyNotFound
		}
		if standing.Stopped(k) != nil {
			return record.ErrUnchanged // the stop's time and reason stay
		}
		return nil
	})
}

// RevokeByKey is what the holder's path does. It takes any version that has not ended by
// itself: who finds a leaked key may end it. A version whose grace is over may
// not, so that an old leak is no lever on the key that replaced it.
func (e *Engine) RevokeByKey(ctx context.Context, text apikey.Presented, reason string) (record.Key, error) {
	p, err := e.prove(ctx, e.Revoker, text)
	if err != nil {
		return record.Key{}, err
	}
	standing, err := e.standingOrAlone(ctx, p.Key)
	if err != nil {
		return record.Key{}, err
	}
	k, err := e.revoke(ctx, p.Key.ID, reason, func(k *record.Key, now record.Time) error {
		v := k.Find(p.Version.Number)
		if v == nil {
			return record.ErrVersionOver
		}
		switch k.StateOf(v, standing, now) {
		case record.Revoked:
			return record.ErrUnchanged
		case record.Expired:
			return record.ErrKeyEnded
		case record.Superseded:
			return record.ErrVersionOver
		}
		return nil
	})
	e.refused(ctx, &p, err)
	return k, err
}

func (e *Engine) revoke(ctx context.Context, id, reason string, allow func(*record.Key, record.Time) error) (record.Key, error) {
	if err := record.CheckText("reason", reason, record.MaxReason); err != nil {
		return record.Key{}, err
	}
	return e.end(ctx, id, func(k *record.Key, now record.Time) error {
		if err := allow(k, now); err != nil {
			return err
		}
		return k.Revoke(reason, now)
	})
}

// Delete ends the key and removes its record, even one that cannot be read. What
// is not there, or is hidden from the target, is no error.
func (e *Engine) Delete(ctx context.Context, t Target) error {
	err := e.remove(ctx, t.ID, func(k *record.Key) bool {
		// Whose an unreadable record is, nobody can tell.
		return k == nil && t.Owner != "" || k != nil && t.hides(k)
	})
	if t.Owner != "" && errors.Is(err, store.ErrUnreadable) {
		return nil
	}
	return err
}

// remove deletes a key's record and tells of it.
func (e *Engine) remove(ctx context.Context, id string, keep func(*record.Key) bool) error {
	removed, err := e.Store.DeleteKey(ctx, id, keep)
	if removed {
		e.Gone(id)
		e.Notify(ctx, Deleted, id)
	}
	return err
}

// EndLease is what the end of a version's lease does. It never fails for a
// version that is gone or has ended, and is safe to repeat.
func (e *Engine) EndLease(ctx context.Context, id string, version int) error {
	_, err := e.end(ctx, id, func(k *record.Key, now record.Time) error {
		e.Ends.Note(k, now) // a lease that ran out says so: no clock takes that back
		return k.EndVersion(version, now)
	})
	return record.Except(err, record.ErrKeyNotFound)
}

// end makes a change that may end the key, and tells of it where it did.
func (e *Engine) end(ctx context.Context, id string, change func(*record.Key, record.Time) error) (record.Key, error) {
	revoked := false
	k, err := e.Store.EndKey(ctx, id, e.settled(func(k *record.Key, now record.Time) error {
		before := k.RevokedAt
		err := change(k, now)
		revoked = err == nil && k.RevokedAt != before
		return err
	}))
	if err == nil && revoked {
		e.Notify(ctx, Ended, id)
	}
	return k, err
}
