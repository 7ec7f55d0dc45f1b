package lifecycle

import (
	"context"
	"fmt"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// RenewRequest asks for a longer, or shorter, life of one version.
type RenewRequest struct {
	ID        string
	Version   int
	Increment record.Seconds // 0 when the client named none
	// Grant is what Vault will make of a lifetime under a maximum: the lease
	// and the record must agree, so both are computed by the same call.
	Grant func(lifetime, max record.Seconds) (record.Seconds, error)
}

// Renewal is what the lease becomes.
type Renewal struct {
	TTL       record.Seconds
	Until     record.Time // the end of the version, and so of the lease, whatever increment the client asks for
	Renewable bool
}

// Renew moves the end of a version. One that has ended stays ended. A superseded
// version's lease goes on to the end of its grace and no further.
func (e *Engine) Renew(ctx context.Context, r RenewRequest) (renewal Renewal, err error) {
	k, err := e.Find(ctx, Target{ID: r.ID})
	if err != nil {
		return renewal, err
	}
	caps := e.Caps()
	defer e.Store.HoldRole(k.Role)()
	k, err = e.Store.RenewKey(ctx, r.ID, e.within(ctx, func(k *record.Key, l *lineage.Lineage) (err error) {
		k.Date(e.Clock.Dated) // mended here, or tidy would move the renewed end with the other dates
		now := l.At
		v := k.Find(r.Version)
		if v == nil {
			return record.ErrKeyEnded
		}
		// A disabled key renews; only what has ended does not.
		if s := k.StateOf(v, l.Standing, now); s.Ended() || s == record.Superseded {
			return record.ErrKeyEnded
		}
		if v.SupersededAt != 0 {
			renewal = renewGrace(v, r.Increment, now)
			return nil
		}
		renewal, err = renewVersion(v, *l.Standing.Role, caps, r, now)
		return err
	}))
	if err == nil && e.stopped(ctx, k) {
		err = record.ErrKeyEnded
	}
	return renewal, err
}

// renewVersion moves the end of a version that was not replaced, be it one that still
// waits.
func renewVersion(v *record.Version, role record.Role, caps record.Caps, r RenewRequest, now record.Time) (Renewal, error) {
	limit := role.MaxLifetime(caps)
	latest := v.CreatedAt.Add(limit)
	if latest <= now {
		// The maximum was lowered; the version lives on to its own end.
		return Renewal{}, record.ErrNoMoreRenewals
	}
	granted, err := r.Grant(v.Lifetime, limit)
	if err != nil {
		return Renewal{}, fmt.Errorf("renew: %w", err)
	}
	// The lease was issued a moment after the version was made, perhaps in the
	// next second. Both end by the version's count.
	v.ExpiresAt = min(now.Add(granted), latest)
	v.Until = max(v.Until, v.ExpiresAt)
	return Renewal{TTL: v.ExpiresAt.Sub(now), Until: v.ExpiresAt, Renewable: true}, nil
}

// renewGrace answers the rest of the grace, or less where the client asks for
// less: Vault will go by its increment, and the record must not outlive the lease.
func renewGrace(v *record.Version, increment record.Seconds, now record.Time) Renewal {
	if increment > 0 {
		v.ValidUntil = min(v.ValidUntil, now.Add(increment))
	}
	// The lease cannot be renewed any more. Should the rotation be withdrawn, the
	// version must not outlive it; and it cannot be rolled back to.
	v.ExpiresAt, v.Cut = min(v.ExpiresAt, v.ValidUntil), true
	return Renewal{TTL: v.ValidUntil.Sub(now), Until: v.ValidUntil}
}
