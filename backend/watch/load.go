package watch

import (
	"context"
	"errors"
	"maps"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// current has memory hold what storage does, for those who ask. Only the node that
// writes knows what was counted since.
func (w *Watch) current(ctx context.Context) error {
	if !w.Writable() {
		return record.ErrElsewhere
	}
	return w.load(ctx)
}

// load reads all entries, where they may be others than those in memory. What is in
// memory and was not written yet stays. An entry that cannot be read is passed over.
func (w *Watch) load(ctx context.Context) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	changes := w.changes.Load()
	if w.loaded.Load() == changes {
		return nil
	}
	tokens, err := all(ctx, w, w.Store.Honeytokens())
	if err != nil {
		return err
	}
	alerts, err := all(ctx, w, w.Store.Alerts())
	if err != nil {
		return err
	}
	w.take(tokens, alerts)
	w.loaded.Store(changes)
	if len(w.unfinished()) > 0 {
		w.wake()
	}
	return nil
}

func (w *Watch) take(tokens map[string]record.Honeytoken, alerts map[string]record.Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.tokens
	w.tokens = make(map[string]*token, len(tokens))
	for name, h := range tokens {
		w.tokens[name] = &token{Honeytoken: h}
		if t := before[name]; t != nil && t.dirty() {
			w.tokens[name] = t
		}
	}
	maps.DeleteFunc(w.alerts, func(_ string, a *alert) bool { return !a.dirty() })
	for name, a := range alerts {
		switch now := w.alerts[name]; {
		case now == nil:
			w.alerts[name] = &alert{Alert: a, stored: true, told: a.Severity}
		case !now.stored: // raised before the stored one was read
			now.goOn(a)
		}
		w.catchUp(&a)
	}
	w.setTraps()
}

// catchUp has a honeytoken know of a use that its alert was written for, where a crash
// came between the two.
func (w *Watch) catchUp(a *record.Alert) {
	t := w.tokens[a.Honeytoken]
	if a.Kind != record.HoneytokenUsed || t == nil || t.KeyID != a.KeyID || t.Count >= a.Hits {
		return
	}
	t.See(a.Hits-t.Count, a.Last, a.ClientIP)
	t.Trip()
	t.changed++
}

// all reads the entries of a kind. Where one cannot be read the others are fine.
func all[V any](ctx context.Context, w *Watch, shelf store.Shelf[V]) (map[string]V, error) {
	names, err := shelf.Names(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]V, len(names))
	for _, name := range names {
		v, ok, err := shelf.Get(ctx, name)
		switch {
		case errors.Is(err, store.ErrUnreadable):
			w.Logger.Error("an entry cannot be read", "error", err)
		case err != nil:
			return nil, err
		case ok:
			found[name] = v
		}
	}
	return found, nil
}
