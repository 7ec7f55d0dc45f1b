package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

// RotateRequest asks for a new version. A nil pointer is 'not given'.
type RotateRequest struct {
	Grace           *record.Seconds
	TTL             record.Seconds // 0 is 'not given'
	ExpectedVersion *int
	Recipients      *[]string
	Activation      *string
	PendingPeriod   *record.Seconds
	Asker
}

// Rotate is what the operator's path does.
func (e *Engine) Rotate(ctx context.Context, t Target, r RotateRequest) (Minted, error) {
	return e.mint(ctx, e.rotation(ctx, t, 0, r))
}

// RotateByKey is what the holder's path does: possession of the current version, or of
// one that waits, is proof enough. Who holds a superseded one may use it in its
// grace, but not make itself the current one again.
func (e *Engine) RotateByKey(ctx context.Context, text apikey.Presented, r RotateRequest) (Minted, error) {
	p, err := e.prove(ctx, e.Prover, text)
	if err != nil {
		return Minted{}, err
	}
	m, err := e.mint(ctx, e.rotation(ctx, Target{ID: p.Key.ID}, p.Version.Number, r))
	e.refused(ctx, &p, err)
	return m, err
}

// rotation is the order for a new version of a key. presented is the version that
// the caller proved to hold, 0 on the operator's path.
func (e *Engine) rotation(ctx context.Context, t Target, presented int, r RotateRequest) order {
	next := func(k *record.Key) (draft, error) {
		d, err := e.next(ctx, k, presented, r)
		d.named, d.byOwner = r.Recipients, t.byOwner()
		return d, err
	}
	return order{Asker: r.Asker, told: Rotated,
		look: func() (draft, error) {
			k, err := e.Find(ctx, t)
			if err != nil {
				return draft{}, err
			}
			return next(&k)
		},
		commit: func(_ draft, n made) (Minted, error) { return e.replace(ctx, n, r, next) },
	}
}

// next is the version that the key, as it is now, may get: by what was asked for
// now, else what was asked for at issue, within the parent's remaining life. It
// settles the key: a version that waits has arrived where it is presented.
func (e *Engine) next(ctx context.Context, k *record.Key, presented int, r RotateRequest) (draft, error) {
	l, err := e.Lineage(ctx, *k)
	if err != nil {
		return draft{}, err
	}
	*k = l.Key
	if presented != 0 && !k.Carries(presented, r.Request) {
		return draft{}, record.ErrNotNewest
	}
	now := l.At
	if err := active(&l, now); err != nil {
		return draft{}, err
	}
	took := false
	if p := k.Pending(); p != nil && p.Number == presented {
		took = k.Settle(now, now)
	}
	d := draft{key: *k, role: *l.Standing.Role, standing: l.Standing, number: k.NumberFor(r.Request), ttl: r.TTL, took: took}
	switch {
	case r.ExpectedVersion != nil && *r.ExpectedVersion != k.HighestFor(r.Request):
		return d, record.ErrVersionDiffers
	case d.number > apikey.MaxVersion:
		return d, record.ErrLastVersion
	}
	if d.ttl == 0 {
		d.ttl = k.TTL
	}
	if len(l.Ancestors) > 0 {
		d.parentEnds = l.Ancestors[0].Key.Current().ExpiresAt
	}
	if d.pending, err = d.role.Pending(r.Activation, r.PendingPeriod); err != nil {
		return d, err
	}
	d.grace, err = d.role.Grace(r.Grace)
	return d, err
}

// replace makes the minted version the highest, unless something came between.
func (e *Engine) replace(ctx context.Context, n made, r RotateRequest, look func(*record.Key) (draft, error)) (Minted, error) {
	config, err := e.Store.Config(ctx)
	if err != nil {
		return Minted{}, err
	}
	var m Minted
	m.Key, err = e.Store.UpdateKey(ctx, n.text.ID, func(k *record.Key) error {
		d, err := look(k)
		if err != nil {
			return err
		}
		if d.number != n.text.Version {
			return record.ErrRotatedAlready
		}
		now := e.Clock.Now()
		version, warnings, err := n.version(d, now)
		if err != nil {
			return err
		}
		if !k.MadeBy(r.Request) {
			k.Forget(config.RevokedRetention, now)
		}
		m.Previous, m.Standing = k.Supersede(version, d.grace, now), d.standing
		m.Warnings = append(warnings, rotationWarnings(m.Previous, version, d)...)
		return nil
	})
	if err == nil && e.stopped(ctx, m.Key) {
		err = record.ErrKeyNotActive
	}
	return m, err
}

// rotationWarnings are what the caller should know about a rotation that worked.
func rotationWarnings(previous *record.Version, next record.Version, d draft) (warnings []string) {
	if previous == nil {
		return nil
	}
	if d.took {
		warnings = append(warnings, "the version that was presented was pending: it has taken effect, and this rotation ended the grace of the version before it")
	}
	// A lease's holder renews at about two thirds of it, and learns only then
	// that the version was superseded.
	if previous.Leased && 3*d.grace < 2*previous.Lifetime {
		warnings = append(warnings, "the grace period is shorter than two thirds of the previous version's lease: its holder may learn of the rotation too late")
	}
	if next.Leased && next.Holder != previous.Holder {
		warnings = append(warnings, "the new version's lease belongs to the token of this request, which does not hold the previous version's lease: the key ends when this token does")
	}
	return warnings
}
