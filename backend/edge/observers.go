package edge

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// activations note that a version took effect by its first use here, as the engine does
// when it hears of it: what was replaced is in its grace from then on.
type activations struct{ ends *ends.Seen }

func (a activations) Observe(o verify.Observation) {
	v := &o.Decision.Version
	if v.PendingUntil != 0 && o.Decision.Valid() && o.Cost > 0 {
		a.ends.Use(o.Text.ID, v, o.At)
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

// Observe notes a use of a key that ends where nobody uses it, and with it of those that
// it was delegated from.
func (u *lastUses) Observe(o verify.Observation) {
	if !o.Decision.Valid() || o.Cost == 0 {
		return
	}
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
