package edge

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Key is the record of a key.
func (w *walk) Key(ctx context.Context, id string) (record.Key, bool, error) {
	return read(ctx, w, w.m.held.keys, wire.KeyKind, id)
}

// Role is the record of a role.
func (w *walk) Role(ctx context.Context, name string) (record.Role, bool, error) {
	return read(ctx, w, w.m.held.roles, wire.RoleKind, name)
}

// Owner is the record of an owner.
func (w *walk) Owner(ctx context.Context, name string) (record.Owner, bool, error) {
	return read(ctx, w, w.m.held.owners, wire.OwnerKind, name)
}

// read answers from what is held, or asks until it is held.
func read[T any](ctx context.Context, w *walk, of *cache.Cache[string, *entry[T]], kind wire.Kind, name string) (value T, found bool, err error) {
	for {
		if e, ok, _ := of.Get(name); ok {
			stale, usable := w.m.usable(e.epoch.Load(), w.cursor != "")
			// In the grace: what cannot be confirmed.
			if usable && (stale == 0 || err != nil || w.m.calls.silent(resolvePath, w.door)) {
				w.saw(stale, &e.state)
				return e.value, e.found, nil
			}
		}
		if err != nil {
			return value, false, err
		}
		var none bool
		if none, err = w.ask(ctx, kind, name); none || err == errAgain {
			return value, false, err
		}
	}
}

// saw takes down that something held was used.
func (w *walk) saw(stale time.Duration, s *state) {
	w.seen = true
	if w.stale = max(w.stale, stale); stale == 0 {
		s.uses.Add(1)
	}
}

// errAgain is returned where time has passed since a walk looked at something: by now
// that may be another.
var errAgain = errors.New("look once more")

// ask asks for a name at the walk's door, unless it was told lately that there is no such
// key.
func (w *walk) ask(ctx context.Context, kind wire.Kind, of string) (none bool, err error) {
	before, named := w.m.now(), name{w.door, kind, of}
	if since, gone := w.m.held.gone.Peek(named); gone && before-since < goneFor {
		return true, nil
	}
	none, err = w.m.wait(ctx, about{name: named}, apikey.Presented{}, clientOf(w.client), w.deadline())
	if w.seen && w.m.now()-before > moment && ctx.Err() == nil {
		return false, errAgain
	}
	return none, err
}

// moment is for how long nothing is thought to happen.
const moment = time.Millisecond
