package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// RotateRequest asks for a new version. A nil pointer is 'not given'.
type RotateRequest struct {
	Grace           *record.Seconds
	TTL             record.Seconds // 0 is 'not given'
	ExpectedVersion *int
	Asker
}

// Rotate is the operator's door.
func (e *Engine) Rotate(ctx context.Context, t Target, r RotateRequest) (Minted, error) {
	m, err := e.rotate(ctx, t, 0, r)
	return e.told(ctx, Rotated, m, err)
}

// RotateByKey is the holder's door: possession of the newest version is proof
// enough. Who holds a superseded one may use it in its grace, but not make
// itself the newest again.
func (e *Engine) RotateByKey(ctx context.Context, text apikey.Presented, r RotateRequest) (Minted, error) {
	p, ok, err := e.Prover.Prove(ctx, text, "")
	if err != nil {
		return Minted{}, err
	}
	if !ok {
		return Minted{}, record.ErrKeyNotFound
	}
	m, err := e.rotate(ctx, Target{ID: p.Record.ID}, p.Version.Number, r)
	return e.told(ctx, Rotated, m, err)
}

// rotate makes a new version. presented is the version that the caller proved to
// hold, 0 at the operator's door.
func (e *Engine) rotate(ctx context.Context, t Target, presented int, r RotateRequest) (Minted, error) {
	k, err := e.Find(ctx, t)
	if err != nil {
		return Minted{}, err
	}
	l, err := e.Lineage(ctx, k)
	if err != nil {
		return Minted{}, err
	}
	if err := e.mayRotate(&k, &l, presented, r); err != nil {
		return Minted{}, err
	}
	text, phc, err := e.mint(ctx, k.Prefix, k.ID, k.NumberFor(r.Request))
	if err != nil {
		return Minted{}, err
	}
	if l.Standing.Role.GenerateLease {
		awaitFreshSecond(ctx)
	}
	return e.replace(ctx, t, presented, r, text, phc)
}

// replace makes the minted version the newest, unless something came between.
func (e *Engine) replace(ctx context.Context, t Target, presented int, r RotateRequest, text apikey.Key, phc keyhash.PHC) (Minted, error) {
	config, err := e.Store.Config(ctx)
	if err != nil {
		return Minted{}, err
	}
	k, err := e.Find(ctx, t)
	if err != nil {
		return Minted{}, err
	}
	caps := e.Caps()
	defer e.Store.HoldRole(k.Role)()
	minted := Minted{Text: text}
	minted.Key, err = e.Store.UpdateKey(ctx, k.ID, func(k *record.Key) error {
		l, err := e.Lineage(ctx, *k)
		if err != nil {
			return err
		}
		if err := e.mayRotate(k, &l, presented, r); err != nil {
			return err
		}
		if k.NumberFor(r.Request) != text.Version {
			return record.ErrRotatedAlready
		}
		role := *l.Standing.Role
		grace, err := role.Grace(r.Grace)
		if err != nil {
			return err
		}
		now := e.Clock.Now()
		next, warnings, err := version(text.Version, phc, role, rotationTerm(k, &l, r, caps), now)
		if err != nil {
			return err
		}
		if !k.MadeBy(r.Request) {
			k.Forget(config.RevokedRetention, now)
		}
		previous := k.Supersede(next, grace, now)
		minted.Role, minted.Standing, minted.MaxTTL = role, l.Standing, role.MaxLifetime(caps)
		minted.Previous = previous
		minted.Warnings = append(warnings, rotationWarnings(previous, next, grace)...)
		return nil
	})
	if err != nil {
		return Minted{}, err
	}
	if e.stopped(ctx, minted.Key) {
		return Minted{}, record.ErrKeyNotActive
	}
	return minted, nil
}

// rotationTerm is the life of the next version: what was asked for now, else
// what was asked for at issue, within the parent's remaining life.
func rotationTerm(k *record.Key, l *lineage.Lineage, r RotateRequest, caps record.Caps) term {
	t := term{ttl: r.TTL, caps: caps, asker: r.Asker}
	if t.ttl == 0 {
		t.ttl = k.TTL
	}
	if len(l.Ancestors) > 0 {
		t.parentEnds = l.Ancestors[0].Key.Newest().ExpiresAt
	}
	return t
}

// mayRotate refuses a rotation by the state of things. It is asked before the
// hash, to refuse early, and again under the lock, to be sure.
func (e *Engine) mayRotate(k *record.Key, l *lineage.Lineage, presented int, r RotateRequest) error {
	newest := k.ReplacedBy(r.Request)
	role := l.Standing.Role
	state := k.State(l.Standing, e.Clock.Now())
	switch {
	case presented != 0 && presented != newest:
		return record.ErrNotNewest
	case state == record.Disabled && role.Disabled:
		return record.ErrRoleDisabled
	case state != record.Active:
		return record.ErrKeyNotActive
	case r.ExpectedVersion != nil && *r.ExpectedVersion != newest:
		return record.ErrVersionDiffers
	case k.NumberFor(r.Request) > apikey.MaxVersion:
		return record.ErrLastVersion
	}
	if _, err := role.Grace(r.Grace); err != nil {
		return err
	}
	return r.mayHold(role.GenerateLease && k.Parent == "")
}

// rotationWarnings are what the caller should know about a rotation that worked.
func rotationWarnings(previous *record.Version, next record.Version, grace record.Seconds) (warnings []string) {
	if previous == nil {
		return nil
	}
	// A lease's holder renews at about two thirds of it, and learns only then
	// that the version was superseded.
	if previous.Leased && 3*grace < 2*previous.Lifetime {
		warnings = append(warnings, "the grace period is shorter than two thirds of the previous version's lease: its holder may learn of the rotation too late")
	}
	if next.Leased && next.Holder != previous.Holder {
		warnings = append(warnings, "the new version's lease belongs to the token of this request, which does not hold the previous version's lease: the key ends when this token does")
	}
	return warnings
}
