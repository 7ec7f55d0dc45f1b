package inspect

import (
	"context"
	"errors"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// honeytoken looks at a key that was planted.
func (c *checker) honeytoken(ctx context.Context, name string) error {
	h, _, err := c.records.Honeytokens().Get(ctx, name)
	if err != nil {
		return err
	}
	if _, isKey, err := c.records.Key(ctx, h.KeyID); err != nil || isKey {
		return errors.New("a honeytoken names a key")
	}
	if !record.ValidName(name) || (h.Count == 0) != (h.First == 0) || h.First > h.Last || len(h.Disables) > record.MaxDisables {
		return errors.New("the honeytoken does not fit together")
	}
	if h.Count == 0 && slices.ContainsFunc(h.Disables, func(d record.Disable) bool { return d.State != record.Armed }) {
		return errors.New("a honeytoken that nobody used disabled a key")
	}
	return nil
}

// alert looks at an alert that is open.
func (c *checker) alert(ctx context.Context, name string) error {
	a, _, err := c.records.Alerts().Get(ctx, name)
	if err != nil {
		return err
	}
	if a.Name() != name || a.Count < 1 || a.First > a.Last || a.First == 0 {
		return errors.New("the alert does not fit together")
	}
	return nil
}
