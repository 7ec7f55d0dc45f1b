package lifecycle

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// A static name leads to one key at a time, and is free when that has ended, by
// whatever way: nobody has to tell the name. Its entry is written before the key's
// record, and removed after it, so a crash leaves a name that is free and no key
// that cannot be reached by its name.

// StaticRequest declares the key of a static name.
type StaticRequest struct {
	IssueRequest // Role may be "" where the name has a key
	Change       record.Change
	// Create tells what Vault has asked the policy for: to make a key, or to change
	// the one that is there. Whoever may do one of them does not do the other because
	// the name became free, or taken, since.
	Create bool
}

// The conflicts of static names.
const (
	// ErrNameTaken is returned when a name that was free leads to a key by now.
	ErrNameTaken record.Conflict = "another request made a key of this static name at the same time; write again to change it"
	// ErrNameFree is returned when the key of a name has ended since it was looked at.
	ErrNameFree record.Conflict = "the key of this static name has ended; write again to mint another"
	// ErrStaticRole and ErrStaticOwner are returned for what a key keeps.
	ErrStaticRole  record.Conflict = "the role of a static key cannot change; delete it first"
	ErrStaticOwner record.Conflict = "the owner of a static key cannot change; delete it first"
)

// WriteStatic mints a key for a name that is free, else changes the name's key in
// place. Only what it minted has a text.
func (e *Engine) WriteStatic(ctx context.Context, r StaticRequest) (Minted, error) {
	if err := record.CheckName("static_name", r.StaticName); err != nil {
		return Minted{}, err
	}
	k, found, err := e.static(ctx, r.StaticName)
	if err != nil {
		return Minted{}, err
	}
	switch {
	case found && k.MadeBy(r.Request), r.Create && !found:
		if r.Role == "" {
			return Minted{}, record.Mistake("role must be named where a key is minted")
		}
		return e.Issue(ctx, r.IssueRequest)
	case r.Create:
		return Minted{}, ErrNameTaken
	case !found:
		return Minted{}, ErrNameFree
	}
	k, err = e.changeStatic(ctx, k, r)
	return Minted{Key: k}, err
}

// changeStatic holds the name, so that it changes no key that is being taken back.
func (e *Engine) changeStatic(ctx context.Context, k record.Key, r StaticRequest) (record.Key, error) {
	switch {
	case r.Role != "" && r.Role != k.Role:
		return k, ErrStaticRole
	case r.Want.Owner != "" && r.Want.Owner != k.Owner:
		return k, ErrStaticOwner
	}
	defer e.Store.HoldName(r.StaticName, false)()
	k, err := e.Update(ctx, Target{ID: k.ID}, r.Change)
	if errors.Is(err, record.ErrKeyEnded) || errors.Is(err, record.ErrKeyNotFound) {
		err = ErrNameFree
	}
	return k, err
}

// DeleteStatic ends the key of a name, and frees the name. What had ended before
// keeps its record. It needs no more than the name and the key's own record.
func (e *Engine) DeleteStatic(ctx context.Context, name string) error {
	if !record.ValidName(name) {
		return nil
	}
	id, err := e.Store.KeyNamed(ctx, name)
	if err != nil || id == "" {
		return err
	}
	ended, err := e.hasEnded(ctx, id)
	if err == nil && !ended {
		err = e.remove(ctx, id, func(k *record.Key) bool { return k != nil && k.StaticName != name })
	}
	if err != nil {
		return err
	}
	return e.Store.FreeName(ctx, name, id)
}

// hasEnded tells whether a key is there and has ended. One that cannot be read may live.
func (e *Engine) hasEnded(ctx context.Context, id string) (bool, error) {
	k, found, err := e.Store.Key(ctx, id)
	if err != nil || !found {
		return false, record.Except(err, store.ErrUnreadable)
	}
	standing, err := e.standingOrAlone(ctx, k)
	now := e.Clock.Now()
	e.Ends.Settle(&k, now)
	return k.Ended(standing, now), err
}

// Named tells whether a name leads to a key that has not ended.
func (e *Engine) Named(ctx context.Context, name string) (bool, error) {
	_, found, err := e.static(ctx, name)
	return found, err
}

// static is the key that a name leads to, if any, and whether it has not ended.
func (e *Engine) static(ctx context.Context, name string) (k record.Key, lives bool, err error) {
	if !record.ValidName(name) {
		return k, false, nil
	}
	id, err := e.Store.KeyNamed(ctx, name)
	if err != nil || id == "" {
		return k, false, err
	}
	k, found, err := e.Store.Key(ctx, id)
	if err != nil || !found || k.StaticName != name {
		return record.Key{}, false, err
	}
	l, err := e.Lineage(ctx, k)
	return k, err == nil && !l.Key.Ended(l.Standing, l.At), err
}

func (e *Engine) findStatic(ctx context.Context, name string) (record.Key, error) {
	k, found, err := e.static(ctx, name)
	if err == nil && !found {
		err = record.ErrKeyNotFound
	}
	return k, err
}

// freeName refuses a name that leads to a key which has not ended. The caller holds the
// name, and gives it to another: so an end of the one before is written down, which no
// later change of a role, and no restart, takes back.
func (e *Engine) freeName(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	before, taken, err := e.static(ctx, name)
	switch {
	case err != nil || before.ID == "":
		return err
	case taken:
		return ErrNameTaken
	}
	_, err = e.Store.UpdateKey(ctx, before.ID, func(k *record.Key) error {
		l, err := e.Lineage(ctx, *k)
		if err != nil {
			return err
		}
		*k = l.Key
		return k.EndBy(l.Standing, l.At)
	})
	return record.Except(err, record.ErrKeyNotFound)
}
