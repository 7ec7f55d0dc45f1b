package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// RollbackRequest asks to take a rotation back.
type RollbackRequest struct {
	ExpectedVersion *int // nil is 'not given'
	Reason          string
}

// Rollback takes the last rotation back, which keeps the old secret alive.
func (e *Engine) Rollback(ctx context.Context, t Target, r RollbackRequest) (record.Key, error) {
	if err := record.CheckText("reason", r.Reason, record.MaxReason); err != nil {
		return record.Key{}, err
	}
	return e.conclude(ctx, t, RolledBack, func(k *record.Key, _ record.Role, now record.Time) error {
		if r.ExpectedVersion != nil && *r.ExpectedVersion != k.Highest().Number {
			return record.ErrVersionDiffers
		}
		return k.Rollback(r.Reason, now)
	})
}

// Finish completes the last rotation: what waits takes effect, and the version
// before works for no longer than this.
func (e *Engine) Finish(ctx context.Context, t Target, grace record.Seconds) (record.Key, error) {
	return e.conclude(ctx, t, Finished, func(k *record.Key, role record.Role, now record.Time) error {
		grace, err := role.Grace(&grace)
		if err != nil {
			return err
		}
		return k.Finish(grace, now)
	})
}

// conclude changes what the last rotation of a key that has not ended left, also of a
// disabled one.
func (e *Engine) conclude(ctx context.Context, t Target, what Event, change func(*record.Key, record.Role, record.Time) error) (record.Key, error) {
	k, err := e.Find(ctx, t)
	if err != nil {
		return record.Key{}, err
	}
	k, err = e.Store.UpdateKey(ctx, k.ID, e.within(ctx, func(k *record.Key, l *lineage.Lineage) error {
		if t.hides(k) {
			return record.ErrKeyNotFound
		}
		now := l.At
		if k.Ended(l.Standing, now) {
			return record.ErrKeyEnded
		}
		k.EndGraces(l.Standing.Seen.Superseded, now) // what was seen to end is not revived
		return change(k, *l.Standing.Role, now)
	}))
	if err == nil {
		e.Notify(ctx, what, k.ID)
	}
	return k, err
}
