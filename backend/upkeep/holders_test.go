package upkeep

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// delegating is a world whose role lets its keys have children of children, and
// a key of it that holds read:* and write.
func delegating(t *testing.T) (*world, lifecycle.Minted) {
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.MaxDelegationDepth = 2 })
	m, err := w.Issue(t.Context(), lifecycle.IssueRequest{Role: "web", Want: record.Request{Owner: "acme", Scopes: &[]string{"read:*", "write"}}})
	w.must(err)
	return w, m
}

// delegate makes a child.
func (w *world) delegate(parent lifecycle.Minted, want record.Request) lifecycle.Minted {
	w.Helper()
	m, err := w.Delegate(w.Context(), lifecycle.DelegateRequest{Key: parent.Text.Presented(), Want: want})
	w.must(err)
	return m
}

func (w *world) revokeNow(m lifecycle.Minted) {
	w.Helper()
	_, err := w.Revoke(w.Context(), lifecycle.Target{ID: m.Key.ID}, "")
	w.must(err)
}

func (w *world) rotateNow(m lifecycle.Minted) {
	w.Helper()
	_, err := w.Rotate(w.Context(), lifecycle.Target{ID: m.Key.ID}, lifecycle.RotateRequest{})
	w.must(err)
}

func (w *world) disable(m lifecycle.Minted) {
	w.Helper()
	_, err := w.Update(w.Context(), lifecycle.Target{ID: m.Key.ID}, record.Change{Disabling: record.Disabling{Disabled: new(true)}})
	w.must(err)
}

func (w *world) retention(s record.Seconds) {
	w.Helper()
	_, err := w.Store.UpdateConfig(w.Context(), func(c *record.Config) error { c.RevokedRetention = s; return nil })
	w.must(err)
}
