package edge

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// observe is told of each decision.
func (m *Mirror) observe(o *verify.Observation) {
	if o.Decision.Valid() && o.Cost > 0 {
		// A version takes effect by its first use here, as it does for the engine when it
		// hears of it: what it replaces is in its grace from now on.
		if v := &o.Decision.Version; v.PendingUntil != 0 {
			m.resolver.Ends.Use(o.Text.ID, v, o.At)
		}
		m.uses.observe(o)
	}
	m.reports.Observe(o)
	if also := m.settings.Load().Observer; also != nil {
		also.Observe(*o)
	}
}

// lastUses are when keys were last used, as far as it is known here: by the engine when
// it told of them, and through this gate since.
type lastUses struct {
	held *held
	here *cache.Cache[string, record.Time]
}

func newLastUses(h *held, size int) *lastUses {
	return &lastUses{h, cache.New[string, record.Time](size)}
}

// observe notes a use of a key that ends where nobody uses it, and with it of those that
// it was delegated from.
func (u *lastUses) observe(o *verify.Observation) {
	u.use(&o.Lineage.Key, o.Lineage.Standing.Role, o.At)
	for i := range o.Lineage.Ancestors {
		u.use(&o.Lineage.Ancestors[i].Key, o.Lineage.Ancestors[i].Standing.Role, o.At)
	}
}

func (u *lastUses) use(k *record.Key, role *record.Role, at record.Time) {
	if role == nil || role.IdleTimeout == 0 {
		return
	}
	if before, _, _ := u.here.Get(k.ID); before < at {
		u.here.Put(k.ID, at)
	}
}

// Uses are the last ones of a key.
func (u *lastUses) Uses(_ context.Context, id string) (record.Uses, error) {
	last, _, _ := u.here.Get(id)
	if e, ok := u.held.keys.Peek(id); ok {
		last = max(last, e.active)
	}
	return record.Uses{Last: last}, nil
}

// UsageGaps are none: what the engine tells of a key takes in what was lost there.
func (*lastUses) UsageGaps(context.Context, record.Time) (idle.Gaps, error) { return nil, nil }
