package watch

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// did notes what became of a key, in the honeytoken and in its alert.
func (w *Watch) did(name string, done record.Action) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.alerts[record.HoneytokenAlert(name)]; a != nil {
		a.Did(done)
		a.changed++
	}
	t := w.tokens[name]
	if t == nil {
		return
	}
	for i := range t.Disables {
		if d := &t.Disables[i]; d.KeyID == done.KeyID && d.State == record.Tripped {
			d.State = record.Done
			t.changed++
		}
	}
}

// What becomes of a key that is to be disabled.
const (
	disabled   = "disabled"
	already    = "already_disabled" // by an operator, whose word stays
	ended      = "ended"
	missing    = "not_found"
	unreadable = "unreadable"
)

// disable disables a key, as an operator does. Done again after a crash, it is the
// same: a honeytoken knows its own mark.
func (w *Watch) disable(ctx context.Context, name, id string) (result string, err error) {
	yes, reason := true, "honeytoken "+name
	_, err = w.Store.EndKey(ctx, id, func(k *record.Key) error {
		now := w.Clock.Now()
		w.Ends.Settle(k, now)
		switch {
		case k.Ended(record.Alone(k), now):
			result = ended
		case k.Disabled && !k.DisabledByOwner && k.DisabledReason != reason:
			result = already
		case k.Disabled && !k.DisabledByOwner:
			result = disabled
		default:
			result = disabled
			return record.Disabling{Disabled: &yes, Reason: &reason}.Apply(k, false, now)
		}
		return record.ErrUnchanged
	})
	switch {
	case errors.Is(err, record.ErrKeyNotFound):
		return missing, nil
	case errors.Is(err, store.ErrUnreadable):
		return unreadable, nil
	case err == nil && result == disabled:
		w.Notify(ctx, "update", "key_id", id)
	}
	return result, err
}
