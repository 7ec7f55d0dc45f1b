package record

import (
	"slices"

	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// A rotation with activation first_use makes a version that waits. The one before
// stays the key's current version, until the new one takes effect: at its first
// use, at its PendingUntil, or when the current one expires, whichever is first.
// From that second on all is as after an immediate rotation. Time does that by
// itself, so whoever reads a record settles it first.

// The activations: when the new version of a rotation takes effect.
const (
	Immediate = "immediate"
	FirstUse  = "first_use"
)

// Activation is that of the rotation that made the version.
func (v *Version) Activation() string {
	if v.PendingUntil != 0 {
		return FirstUse
	}
	return Immediate
}

// Waits tells whether the version has not taken effect yet, and may still.
func (v *Version) Waits() bool {
	return v.PendingUntil != 0 && v.ActivatedAt == 0 && v.CancelledAt == 0
}

// InEffectSince is when the version took effect, 0 if it has not.
func (v *Version) InEffectSince() Time {
	if v.PendingUntil == 0 {
		return v.CreatedAt
	}
	return v.ActivatedAt
}

// over is when the version stopped working by a rotation or a cancellation, 0 if
// neither will end it.
func (v *Version) over() Time {
	if v.CancelledAt != 0 {
		return v.CancelledAt
	}
	return v.ValidUntil
}

// cancel ends a version that is not to replace any. It keeps neither hash nor
// recipients: what was cancelled by an order is no key any more, and there may be many.
func (v *Version) cancel(reason string, now Time) {
	v.CancelledAt, v.CancelReason, v.Hash, v.Recipients = now, reason, keyhash.PHC{}, nil
}

// Highest is the version with the highest number, pending and cancelled ones
// included: what expected_version means.
func (k *Key) Highest() *Version { return &k.Versions[0] }

// Current is the version in effect, whose end is the key's.
func (k *Key) Current() *Version { return current(k.Versions) }

func current(versions []Version) *Version {
	for i := range versions {
		if v := &versions[i]; v.CancelledAt == 0 && !v.Waits() {
			return v
		}
	}
	return nil
}

// Pending is the version that waits for its first use, nil for none. Whatever is
// made after it cancels it, so it is the highest.
func (k *Key) Pending() *Version {
	if k.Highest().Waits() {
		return k.Highest()
	}
	return nil
}

// inGrace is the version that the current one replaced, nil once its grace is over.
func (k *Key) inGrace(now Time) *Version {
	if v := k.replaced(k.Current()); v != nil && now < v.ValidUntil {
		return v
	}
	return nil
}

// replaced is the version before this one, cancelled ones apart; nil for none.
func (k *Key) replaced(by *Version) *Version {
	at := slices.IndexFunc(k.Versions, func(v Version) bool { return v.Number < by.Number })
	if at < 0 {
		return nil
	}
	return current(k.Versions[at:])
}

// LastsUntil is the latest to which renewals can move the key's end.
func (k *Key) LastsUntil() Time {
	until := k.Current().Until
	if p := k.Pending(); p != nil {
		until = max(until, p.Until)
	}
	return until
}

// Settle makes k what it is at this moment, and tells whether its record said
// otherwise: a version that waits has taken effect by time, or at this use of it (0
// for none); or it ended before, which cancels it. Copies of k keep what they say.
//
// A version that ended while it waited keeps its hash for a while, as one that
// was replaced does, so that verify can tell what became of it.
func (k *Key) Settle(used, now Time) (changed bool) {
	p := k.Pending()
	if p == nil || k.RevokedAt != 0 {
		return false
	}
	at := min(p.PendingUntil, k.Current().ExpiresAt)
	if used != 0 {
		at = min(at, used)
	}
	switch {
	case now < min(at, p.ExpiresAt):
		return false
	case p.ExpiresAt <= at:
		k.Lapse()
	default:
		k.Versions = slices.Clone(k.Versions)
		k.activate(at, p.Grace)
	}
	return true
}

// Lapse lets the version that waits end at its ExpiresAt, as was seen. Copies of k
// keep what they say.
func (k *Key) Lapse() {
	k.Versions = slices.Clone(k.Versions)
	p := k.Pending()
	p.CancelledAt = p.ExpiresAt
}

// activate lets the pending version take effect: the current one is replaced, and
// has this grace.
func (k *Key) activate(at Time, grace Seconds) {
	p, replaced := k.Pending(), k.Current()
	p.ActivatedAt = at
	replaced.supersede(grace, at)
}

// supersede is what happens to the current version when another takes its place.
func (v *Version) supersede(grace Seconds, at Time) {
	v.SupersededAt, v.ValidUntil = at, min(at.Add(grace), v.ExpiresAt)
}

// The conflicts of rollback and finish.
const (
	ErrNotRotating Conflict = "no version of the key is pending or in grace"
	ErrLeaseIsCut  Conflict = "the lease of the version before is cut to its grace: it cannot be current again"
)

// Rollback takes the last rotation back: a version that waits is cancelled; one
// that has taken effect as well, while the one before is in its grace, which then
// is current again with the end that it had. It revives nothing.
func (k *Key) Rollback(reason string, now Time) error {
	if p := k.Pending(); p != nil {
		p.cancel(reason, now)
		return nil
	}
	before := k.inGrace(now)
	switch {
	case before == nil:
		return ErrNotRotating
	case before.Cut:
		return ErrLeaseIsCut
	}
	k.Current().cancel(reason, now)
	before.SupersededAt, before.ValidUntil = 0, 0
	return nil
}

// Finish completes the last rotation: a version that waits takes effect now, and
// the one before works for no longer than this grace, nor than it would have.
func (k *Key) Finish(grace Seconds, now Time) error {
	if p := k.Pending(); p != nil {
		k.activate(now, min(grace, p.Grace))
		return nil
	}
	before := k.inGrace(now)
	if before == nil {
		return ErrNotRotating
	}
	before.ValidUntil = min(now.Add(grace), before.ValidUntil)
	return nil
}

// A brownout refuses a version for the first five minutes of each hour, in the last
// quarter of a grace of four hours or more: who has not changed keys yet learns of
// it while somebody can still help.
const (
	brownoutGrace Seconds = 4 * 3600
	brownoutEvery Seconds = 3600
	brownoutLasts Seconds = 300
)

// Brownout is for how many seconds from now a version in grace is refused, 0 for
// not now. Hours are counted back from the end of the grace, so that clocks alone
// decide, everywhere alike.
func (r *Role) Brownout(v *Version, now Time) Seconds {
	grace, left := v.ValidUntil.Sub(v.SupersededAt), v.ValidUntil.Sub(now)
	if !r.GraceBrownout || v.SupersededAt == 0 || grace < brownoutGrace || left <= 0 || 4*left > grace {
		return 0
	}
	elapsed := (brownoutEvery - left%brownoutEvery) % brownoutEvery
	return max(0, brownoutLasts-elapsed)
}
