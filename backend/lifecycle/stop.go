package lifecycle

import (
	"cmp"
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// StopOwner ends all keys of an owner at once, with one write. Keys issued after
// its answer are fine. request is Vault's id of the request. It waits for nobody who
// makes keys: these look again.
func (e *Engine) StopOwner(ctx context.Context, owner, reason, request string) (record.Halt, error) {
	return e.stop(ctx, "owner", owner, reason, func(now record.Time) (record.Stop, error) {
		o, err := e.Store.StopOwner(ctx, owner, reason, now, request)
		return o.Stop, err
	})
}

// StopRole ends all keys of a role at once, with one write.
func (e *Engine) StopRole(ctx context.Context, name, reason, request string) (record.Halt, error) {
	return e.stop(ctx, "role", name, reason, func(now record.Time) (record.Stop, error) {
		// What an unreadable one allowed is not known, so that in its place allows
		// nothing until it is written anew.
		instead := newRole()
		instead.Disabled, instead.Description = true, roleLost
		role, err := e.Store.StopRole(ctx, name, reason, now, request, instead)
		return role.Stop, err
	})
}

func (e *Engine) stop(ctx context.Context, field, name, reason string, write func(now record.Time) (record.Stop, error)) (record.Halt, error) {
	if err := cmp.Or(record.CheckName(field, name), record.CheckText("reason", reason, record.MaxReason)); err != nil {
		return record.Halt{}, err
	}
	s, err := write(e.Clock.Now())
	if err == nil {
		e.Notify(ctx, Stopped, "")
	}
	return s.Last(), err
}

// roleLost describes a role that was stopped when it could not be read.
const roleLost = "its entry could not be read when it was stopped; write it anew and enable it"
