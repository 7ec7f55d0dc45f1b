package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Update changes what may be changed of a key that has not ended.
func (e *Engine) Update(ctx context.Context, t Target, change record.Change) (record.Key, error) {
	k, err := e.Find(ctx, t)
	if err != nil {
		return record.Key{}, err
	}
	write := e.Store.UpdateKey
	if d := change.Disabling.Disabled; d != nil && *d {
		write = e.Store.EndKey // an emergency, as a revocation is
	}
	k, err = write(ctx, k.ID, e.within(ctx, func(k *record.Key, l *lineage.Lineage) error {
		if t.hides(k) {
			return record.ErrKeyNotFound
		}
		if k.Ended(l.Standing, l.At) {
			return record.ErrKeyEnded
		}
		before, role := k.Clone(), *l.Standing.Role
		if err := change.Apply(k, role); err != nil {
			return err
		}
		if err := change.Disabling.Apply(k, t.byOwner(), l.At); err != nil {
			return err
		}
		if t.byOwner() {
			if err := role.OwnerMay(&before, k); err != nil {
				return err
			}
		}
		if len(l.Ancestors) == 0 {
			return nil
		}
		// Verify holds it to its parent in any case; this tells whoever writes it.
		parent := l.Parent()
		return delegable(k, &parent, role, change)
	}))
	if err == nil {
		e.Notify(ctx, Updated, k.ID)
	}
	return k, err
}
