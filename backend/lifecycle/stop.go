package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// StopOwner ends all keys of an owner at once, with one write. Keys issued after
// its answer are fine.
func (e *Engine) StopOwner(ctx context.Context, owner, reason string) (record.Stop, error) {
	if err := record.CheckName("owner", owner); err != nil {
		return record.Stop{}, err
	}
	if err := record.CheckText("reason", reason, record.MaxReason); err != nil {
		return record.Stop{}, err
	}
	o, err := e.Store.StopOwner(ctx, owner, reason, e.Clock.Now())
	if err == nil {
		e.Notify(ctx, Stopped, "")
	}
	return o.Stop, err
}

// StopRole ends all keys of a role at once, with one write.
func (e *Engine) StopRole(ctx context.Context, name, reason string) (record.Stop, error) {
	if err := record.CheckName("role", name); err != nil {
		return record.Stop{}, err
	}
	if err := record.CheckText("reason", reason, record.MaxReason); err != nil {
		return record.Stop{}, err
	}
	role, err := e.Store.UpdateRole(ctx, name, func(old *record.Role) (record.Role, error) {
		if old == nil {
			return record.Role{}, ErrRoleNotFound
		}
		role := *old
		role.Raise(reason, e.Clock.Now())
		return role, nil
	})
	if err == nil {
		e.Notify(ctx, Stopped, "")
	}
	return role.Stop, err
}
