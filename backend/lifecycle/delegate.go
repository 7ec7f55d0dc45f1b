package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// DelegateRequest asks for a child of the key that is presented. Role and owner
// are the parent's.
type DelegateRequest struct {
	Key  apikey.Presented
	Want record.Request
	By   record.Creator
	Asker
}

// ErrTooDeep is returned when the role lets no key this deep delegate.
const ErrTooDeep record.Mistake = "the role's max_delegation_depth allows no further delegation"

// Delegate mints a child that is within its parent in every way. A parent id is
// only ever written into a new key, so there are no cycles.
func (e *Engine) Delegate(ctx context.Context, r DelegateRequest) (Minted, error) {
	p, err := e.prove(ctx, e.Prover, r.Key)
	if err != nil {
		return Minted{}, err
	}
	o := e.birth(ctx, r.Asker, func() (draft, error) { return e.child(ctx, p, r) })
	o.ready = func(d draft) error {
		if !d.took {
			return nil
		}
		_, err := e.Store.UpdateKey(ctx, p.Key.ID, e.settled(func(k *record.Key, now record.Time) error {
			if waits := k.Pending(); waits != nil && waits.Number == p.Version.Number {
				k.Settle(now, now)
			}
			return nil
		}))
		return err
	}
	m, err := e.mint(ctx, o)
	e.refused(ctx, &p, err)
	return m, err
}

// child is what the parent, as it is now, lets the new key be.
func (e *Engine) child(ctx context.Context, p verify.Proof, r DelegateRequest) (draft, error) {
	parent, err := e.Find(ctx, Target{ID: p.Key.ID})
	if err != nil {
		return draft{}, err
	}
	l, err := e.Lineage(ctx, parent)
	if err != nil {
		return draft{}, err
	}
	parent = l.Key
	if !parent.Carries(p.Version.Number, "") {
		return draft{}, record.ErrNotNewest
	}
	presented := parent.Find(p.Version.Number)
	if err := active(&l, l.At); err != nil {
		return draft{}, err
	}
	role, want := *l.Standing.Role, r.Want
	if parent.Depth >= role.MaxDelegationDepth {
		return draft{}, ErrTooDeep
	}
	want.Owner = parent.Owner
	if want.Scopes == nil {
		// Nothing was asked for: the parent's, as far as they go.
		own := l.Scopes()
		want.Scopes = &own
	}
	bounds := role
	bounds.Limits = parent.Limits.Under(role.Limits) // a child's periods are its parent's
	child, err := record.Grant(parent.Role, bounds, want)
	if err != nil {
		return draft{}, err
	}
	child.Prefix, child.Parent, child.Depth, child.CreatedBy = parent.Prefix, parent.ID, parent.Depth+1, r.By
	err = delegable(&child, &l, role, record.Change{Metadata: &want.Metadata, Scopes: want.Scopes, BoundCIDRs: want.BoundCIDRs, Limits: want.Limits})
	return draft{key: child, role: role, number: 1, ttl: want.TTL, named: want.Recipients, parentEnds: presented.ExpiresAt, took: presented.Waits()}, err
}

// delegable refuses a key that exceeds its parent, or one above that, in what the
// change sets.
func delegable(k *record.Key, parent *lineage.Lineage, role record.Role, change record.Change) error {
	if change.Scopes != nil && !scope.Within(k.Scopes, parent.Scopes()) {
		return record.Mistake("scopes must lie within the parent's")
	}
	if change.Metadata != nil && replaces(k.Metadata, parent.Metadata()) {
		return record.Mistake("metadata must not replace a pair of the parent's or the role's")
	}
	for _, above := range append([]lineage.Lineage{*parent}, parent.Ancestors...) {
		if change.BoundCIDRs != nil && !k.BoundCIDRs.Empty() && !k.BoundCIDRs.Within(above.Key.BoundCIDRs) {
			return record.Mistake("bound_cidrs must lie within the parent's")
		}
		if change.Limits != (record.LimitsChange{}) {
			if err := k.Limits.Within(above.Key.Limits.Under(role.Limits)); err != nil {
				return err
			}
		}
	}
	return nil
}

// replaces tells whether a pair says something else than one of that name above.
func replaces(own, above map[string]string) bool {
	for name, value := range own {
		if said, ok := above[name]; ok && said != value {
			return true
		}
	}
	return false
}
