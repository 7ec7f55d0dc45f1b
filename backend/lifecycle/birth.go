package lifecycle

import (
	"context"
	"reflect"

	"vault-plugin-secrets-apikeys/backend/record"
)

// birthTries bounds how often a key is made anew because its role or its owner
// was changed meanwhile. Each time takes another such change.
const birthTries = 5

// errOvertaken is returned when that was not enough.
const errOvertaken record.Conflict = "the role or the owner was changed at the same time, again and again; try again"

// birth is the order for a new key, which is what look says that it may be now.
//
// Nobody who changes or stops a role or an owner waits for a key that is being
// made: an emergency does not queue behind issuers. So a key carries the
// generations that were looked at, which lets a stop that comes between end it
// like any other, and once it is stored birth looks again. Only if nothing has
// changed it answers with the key: no key is answered after a stop's answer that
// this stop has ended, nor one that a changed role would not have issued.
func (e *Engine) birth(ctx context.Context, a Asker, look func() (draft, error)) order {
	return order{Asker: a, told: Issued, look: look, commit: func(d draft, n made) (m Minted, err error) {
		for range birthTries {
			placed := false
			if m, d, placed, err = e.tryBirth(ctx, d, n, look); err != nil || placed {
				return m, err
			}
		}
		return m, errOvertaken
	}}
}

// tryBirth is one try, after a first look. Where that was overtaken it answers with
// the last one.
func (e *Engine) tryBirth(ctx context.Context, first draft, n made, look func() (draft, error)) (m Minted, last draft, placed bool, err error) {
	counted := first.role.MaxKeysPerOwner > 0
	defer e.Store.HoldOwner(first.key.Owner, counted)()
	defer e.Store.HoldName(first.key.StaticName, true)()
	// Here many may have waited for each other.
	d, err := e.owned(ctx, look)
	if err != nil || counted != (d.role.MaxKeysPerOwner > 0) {
		return m, d, false, err
	}
	if m, err = e.create(ctx, d, n); err != nil {
		return m, d, false, err
	}
	last, err = e.owned(ctx, look)
	if err == nil && last.key.OwnerGeneration == d.key.OwnerGeneration && reflect.DeepEqual(last.role, d.role) {
		return m, last, true, nil
	}
	// Nobody was told of it. It is removed also where the client has hung up.
	_, undone := e.Store.RemoveKey(context.WithoutCancel(ctx), m.Key.ID, func(*record.Key) bool { return false })
	if err == nil {
		err = undone
	}
	return Minted{}, last, false, err
}

// owned adds the owner's generation to what is looked at.
func (e *Engine) owned(ctx context.Context, look func() (draft, error)) (draft, error) {
	d, err := look()
	if err != nil || d.key.Owner == "" {
		return d, err
	}
	owner, _, err := e.Store.Owner(ctx, d.key.Owner)
	d.key.OwnerGeneration = owner.Generation
	return d, err
}

// create stores the key. The caller holds the role, the owner as its limit asks for,
// and the static name.
func (e *Engine) create(ctx context.Context, d draft, n made) (Minted, error) {
	key, now := d.key, e.Clock.Now()
	if err := e.freeName(ctx, key.StaticName); err != nil {
		return Minted{}, err
	}
	first, warnings, err := n.version(d, now)
	if err != nil {
		return Minted{}, err
	}
	key.ID, key.Prefix, key.CreatedAt = n.text.ID, n.text.Prefix, now
	key.CreatedBy = key.CreatedBy.Bounded()
	key.Versions = []record.Version{first}
	key.SealTo(first.Recipients)
	if key.Owner != "" && d.role.MaxKeysPerOwner > 0 {
		if err := e.Store.Enrol(ctx, key, d.role, now, e.judge(ctx)); err != nil {
			return Minted{}, err
		}
	}
	if err := e.Store.CreateKey(ctx, key); err != nil {
		return Minted{}, err
	}
	standing := record.Alone(&key)
	standing.Role = &d.role
	return Minted{Key: key, Standing: standing, Warnings: warnings}, nil
}
