package watch

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// Change is what is asked of a honeytoken. A nil pointer is 'not given'.
type Change struct {
	Role        *string
	Description *string
	Disables    *[]string
}

// Honeytokens are the names of all, in byte order.
func (w *Watch) Honeytokens(ctx context.Context) ([]string, error) {
	if err := w.current(ctx); err != nil {
		return nil, err
	}
	return w.Store.Honeytokens().Names(ctx) // also of those that cannot be read
}

// Honeytoken is the one of this name.
func (w *Watch) Honeytoken(ctx context.Context, name string) (record.Honeytoken, bool, error) {
	if !record.ValidName(name) {
		return record.Honeytoken{}, false, nil
	}
	if err := w.current(ctx); err != nil {
		return record.Honeytoken{}, false, err
	}
	return w.find(ctx, name)
}

// find is the honeytoken in memory; one that cannot be read says so.
func (w *Watch) find(ctx context.Context, name string) (record.Honeytoken, bool, error) {
	w.mu.Lock()
	t := w.tokens[name]
	if t == nil {
		w.mu.Unlock()
		return w.Store.Honeytokens().Get(ctx, name)
	}
	defer w.mu.Unlock()
	return t.Clone(), true, nil
}

// Plant makes a honeytoken, whose key is answered here and nowhere else, or changes one.
func (w *Watch) Plant(ctx context.Context, name string, c Change) (h record.Honeytoken, text apikey.Key, err error) {
	if err := record.CheckName("honeytoken", name); err != nil {
		return h, text, err
	}
	if err := w.current(ctx); err != nil {
		return h, text, err
	}
	// What it counted is written first, and what it was found to disable is disabled: who
	// names other keys does not know yet of the use.
	if err := w.finish(ctx, name); err != nil {
		return h, text, err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	h, found, err := w.find(ctx, name)
	switch {
	case err != nil:
	case !found:
		h, text, err = w.make(ctx, c.Role)
	case c.Role != nil && *c.Role != h.Role:
		err = record.ErrHoneytokenRole
	}
	if err == nil {
		err = w.apply(ctx, &h, c)
	}
	if err != nil {
		return h, apikey.Key{}, err
	}
	if err := w.Store.Honeytokens().Put(ctx, name, h); err != nil {
		w.Refresh() // nobody knows what storage holds
		return h, apikey.Key{}, err
	}
	return w.keep(name, h, c.Disables != nil), text, nil
}

// make is a honeytoken with the key of a role. It looks like one that the role would
// issue now.
func (w *Watch) make(ctx context.Context, named *string) (h record.Honeytoken, text apikey.Key, err error) {
	if named == nil {
		return h, text, record.Mistake(`missing parameter "role"`)
	}
	w.mu.Lock()
	full := len(w.tokens) >= record.MaxHoneytokens
	w.mu.Unlock()
	if full {
		return h, text, record.ErrHoneytokensFull
	}
	role, found, err := w.Store.Role(ctx, *named)
	if err != nil {
		return h, text, err
	}
	if !found {
		return h, text, record.ErrRoleNotFound
	}
	config, err := w.Store.Config(ctx)
	if err != nil {
		return h, text, err
	}
	tagKey, err := w.Store.TagKey(ctx)
	if err != nil {
		return h, text, err
	}
	id, err := apikey.NewID(rand.Reader)
	if err != nil {
		return h, text, err
	}
	if _, taken, err := w.Store.PeekKey(ctx, id); err != nil || taken {
		return h, text, cmp.Or(err, store.ErrIDTaken)
	}
	text, err = apikey.Generate(rand.Reader, tagKey, role.EffectivePrefix(config), id, 1)
	_, digest := tagKey.Check(text)
	return record.Honeytoken{KeyID: id, Digest: digest[:], Role: *named, CreatedAt: w.Clock.Now()}, text, err
}

// apply changes a honeytoken. Keys that it disables must be there: a name that was
// mistyped would be found out when it is too late.
func (w *Watch) apply(ctx context.Context, h *record.Honeytoken, c Change) error {
	if c.Description != nil {
		h.Description = *c.Description
	}
	if err := record.CheckText("description", h.Description, record.MaxDescription); err != nil {
		return err
	}
	if c.Disables == nil {
		return nil
	}
	if err := h.Arm(*c.Disables); err != nil {
		return err
	}
	for _, d := range h.Disables {
		if _, found, err := w.Store.PeekKey(ctx, d.KeyID); err != nil {
			return err
		} else if !found {
			return record.Mistake("disables names a key that is not there")
		}
	}
	return nil
}

// keep takes a honeytoken that was written into memory. What it counted meanwhile
// stays, and disables also what it was armed with.
func (w *Watch) keep(name string, h record.Honeytoken, armed bool) record.Honeytoken {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.tokens[name]; before != nil {
		before.Description = h.Description
		if armed {
			before.Disables = slices.Clone(h.Disables)
		}
		if armed && before.Count > h.Count {
			before.Trip()
		}
		return before.Clone()
	}
	w.tokens[name] = &token{Honeytoken: h.Clone()}
	w.setTraps()
	return h
}

// setTraps has what is in memory recognised. It needs the lock.
func (w *Watch) setTraps() {
	traps := make(map[apikey.Digest]string, len(w.tokens))
	for name, t := range w.tokens {
		traps[apikey.Digest(t.Digest)] = name
	}
	w.traps.Store(&traps)
}

// Uproot removes a honeytoken, whether or not there is one. An alert about it stays, and
// what it was found to disable is disabled first.
func (w *Watch) Uproot(ctx context.Context, name string) error {
	if !record.ValidName(name) {
		return nil
	}
	if err := w.current(ctx); err != nil {
		return err
	}
	if err := w.finish(ctx, name); err != nil {
		return err
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	if err := w.Store.Honeytokens().Remove(ctx, name); err != nil {
		w.Refresh()
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tokens, name)
	w.setTraps()
	return nil
}
