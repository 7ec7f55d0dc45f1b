package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Target says which key an operation is about.
type Target struct {
	ID string
	// Owner, when set, is whose key it must be: any other is as if it were not
	// there.
	Owner string
}

// ownersDoor tells whether whoever asks speaks for the owner, and not for the
// operator.
func (t Target) ownersDoor() bool { return t.Owner != "" }

func (t Target) hides(k *record.Key) bool { return t.Owner != "" && k.Owner != t.Owner }

// Find is the record of the target.
func (e *Engine) Find(ctx context.Context, t Target) (record.Key, error) {
	if !apikey.ValidID(t.ID) {
		return record.Key{}, record.ErrKeyNotFound
	}
	k, found, err := e.Store.Key(ctx, t.ID)
	if err != nil {
		return record.Key{}, err
	}
	if !found || t.hides(&k) {
		return record.Key{}, record.ErrKeyNotFound
	}
	return k, nil
}

// hold keeps the role and the owner of a key as they are until release, so that
// no stop, change or deletion comes between a look at them and a write.
func (e *Engine) hold(k *record.Key) (release func()) {
	releaseRole := e.Store.HoldRole(k.Role)
	releaseOwner := e.Store.HoldOwner(k.Owner, false)
	return func() {
		releaseOwner()
		releaseRole()
	}
}

// Standing is what the key's state depends on, now, for those who act on it or
// show it.
func (e *Engine) Standing(ctx context.Context, k record.Key) (verify.Lineage, error) {
	now := e.Clock.Now()
	l, err := e.Resolver.Resolve(ctx, k)
	if err == nil {
		e.Resolver.Witness(&l, now)
	}
	return l, err
}

// ended tells of a record whether its key has ended: what the store asks when
// it counts keys.
func (e *Engine) ended(ctx context.Context) func(record.Key) (bool, error) {
	return func(k record.Key) (bool, error) {
		l, err := e.Resolver.Resolve(ctx, k)
		return k.Ended(l.Standing, e.Clock.Now()), err
	}
}

// DeleteRole removes a role none of whose keys is left alive.
func (e *Engine) DeleteRole(ctx context.Context, name string) error {
	return e.Store.DeleteRole(ctx, name, e.Clock.Now(), e.ended(ctx))
}
