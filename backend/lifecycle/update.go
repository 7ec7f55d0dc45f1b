package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Update changes what may be changed of a key that has not ended.
func (e *Engine) Update(ctx context.Context, t Target, change record.Change) (record.Key, error) {
	k, err := e.Find(ctx, t)
	if err != nil {
		return record.Key{}, err
	}
	defer e.Store.HoldRole(k.Role)()
	role, err := e.Store.Role(ctx, k.Role)
	if err != nil {
		return record.Key{}, err
	}
	k, err = e.Store.UpdateKey(ctx, t.ID, func(k *record.Key) error {
		if k.State(role, e.Clock.Now()).Ended() {
			return record.ErrKeyEnded
		}
		return change.Apply(k, *role)
	})
	if err == nil {
		e.Notify(ctx, Updated, k.ID)
	}
	return k, err
}
