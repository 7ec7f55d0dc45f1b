package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// StopOwner ends all keys of an owner at once, with one write. Keys issued after
// its answer are fine. request is Vault's id of the request. It waits for nobody who makes keys: these look again.
func (e *Engine) StopOwner(ctx context.Context, owner, reason, request string) (record.Halt, error) {
	if err := record.CheckName("owner", owner); err != nil {
		return record.Halt{}, err
	}
	if err := record.CheckText("reason", reason, record.MaxReason); err != nil {
		return record.Halt{}, err
	}
	o, err := e.Store.StopOwner(ctx, owner, reason, e.Clock.Now(), request)
	if err == nil {
		e.Notify(ctx, Stopped, "")
	}
	return o.Last(), err
}

// StopRole ends all keys of a role at once, with one write.
func (e *Engine) StopRole(ctx context.Context, name, reason, request string) (record.Halt, error) {
	if err := record.CheckName("role", name); err != nil {
		return record.Halt{}, err
	}
	if err := record.CheckText("reason", reason, record.MaxReason); err != nil {
		return record.Halt{}, err
	}
	// What an unreadable one allowed is not known, so that in its place allows
	// nothing until it is written anew.
	instead := newRole()
	instead.Disabled, instead.Description = true, roleLost
	role, err := e.Store.StopRole(ctx, name, reason, e.Clock.Now(), request, instead)
	if err == nil {
		e.Notify(ctx, Stopped, "")
	}
	return role.Last(), err
}

// roleLost describes a role that was stopped when it could not be read.
const roleLost = "its entry could not be read when it was stopped; write it anew and enable it"
