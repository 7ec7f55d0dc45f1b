package lifecycle

import (
	"context"
	"reflect"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// born is what a new key may be, by its role, its owner and its parent as they
// were at one look.
type born struct {
	key  record.Key
	role record.Role
	// parentEnds is when the presented version of the parent ends, for a delegated
	// key.
	parentEnds record.Time
}

// placeTries bounds how often a key is made anew because its role or its owner
// was changed meanwhile. Each time takes another such change.
const placeTries = 5

// errOvertaken is returned when that was not enough.
const errOvertaken record.Conflict = "the role or the owner was changed at the same time, again and again; try again"

// place stores a new key with its first version. look tells what it may be now.
//
// Nobody who changes or stops a role or an owner waits for a key that is being
// made: an emergency does not queue behind issuers. So a key carries the
// generations that were looked at, which lets a stop that comes between end it
// like any other, and once it is stored place looks again. Only if nothing has
// changed it answers with the key: no key is answered after a stop's answer that
// this stop has ended, nor one that a changed role would not have issued.
func (e *Engine) place(ctx context.Context, text apikey.Key, phc keyhash.PHC, t term, look func() (born, error)) (Minted, error) {
	b, err := look()
	if err != nil {
		return Minted{}, err
	}
	defer e.Store.HoldRole(b.key.Role)() // it is not deleted meanwhile
	for range placeTries {
		m, placed, err := e.tryPlace(ctx, b, text, phc, t, look)
		if err != nil || placed {
			return m, err
		}
		if b, err = look(); err != nil {
			return Minted{}, err
		}
	}
	return Minted{}, errOvertaken
}

// tryPlace is one try, after a first look.
func (e *Engine) tryPlace(ctx context.Context, first born, text apikey.Key, phc keyhash.PHC, t term, look func() (born, error)) (m Minted, placed bool, err error) {
	counted := first.role.MaxKeysPerOwner > 0
	defer e.Store.HoldOwner(first.key.Owner, counted)()
	// Here many may have waited for each other.
	b, err := e.look(ctx, look)
	if err != nil || counted != (b.role.MaxKeysPerOwner > 0) {
		return m, false, err
	}
	if m, err = e.create(ctx, b, text, phc, t); err != nil {
		return m, false, err
	}
	now, err := e.look(ctx, look)
	if err == nil && now.key.OwnerGeneration == b.key.OwnerGeneration && reflect.DeepEqual(now.role, b.role) {
		return m, true, nil
	}
	if undone := e.undo(ctx, text.ID); err == nil {
		err = undone
	}
	return Minted{}, false, err
}

// look adds the owner's generation to what was looked at.
func (e *Engine) look(ctx context.Context, look func() (born, error)) (born, error) {
	b, err := look()
	if err != nil || b.key.Owner == "" {
		return b, err
	}
	owner, _, err := e.Store.Owner(ctx, b.key.Owner)
	b.key.OwnerGeneration = owner.Generation
	return b, err
}

// create stores the key. The caller holds the role, and the owner as its limit
// asks for.
func (e *Engine) create(ctx context.Context, b born, text apikey.Key, phc keyhash.PHC, t term) (Minted, error) {
	key, now := b.key, e.Clock.Now()
	t.parentEnds = b.parentEnds
	first, warnings, err := version(1, phc, b.role, t, now)
	if err != nil {
		return Minted{}, err
	}
	key.ID, key.Prefix, key.CreatedAt = text.ID, text.Prefix, now
	key.CreatedBy = key.CreatedBy.Bounded()
	key.Versions = []record.Version{first}
	if key.Owner != "" && b.role.MaxKeysPerOwner > 0 {
		if err := e.Store.Enrol(ctx, key, b.role, now, e.judge(ctx)); err != nil {
			return Minted{}, err
		}
	}
	if err := e.Store.CreateKey(ctx, key); err != nil {
		return Minted{}, err
	}
	standing := record.Alone(&key)
	standing.Role = &b.role
	return Minted{Text: text, Key: key, Role: b.role, Standing: standing, MaxTTL: b.role.MaxLifetime(t.caps), Warnings: warnings}, nil
}

// undo removes a key that nobody was told of. It is finished also where the
// client has hung up.
func (e *Engine) undo(ctx context.Context, id string) error {
	_, err := e.Store.RemoveKey(context.WithoutCancel(ctx), id, func(*record.Key) bool { return false })
	return err
}
