package record

import "vault-plugin-secrets-apikeys/backend/keyhash"

// Caps are the mount's lease settings, as they are now.
type Caps struct {
	Default Seconds
	Max     Seconds
}

// Lifetime is how long a new version lives: what was asked for, else the role's
// ttl, else the mount's default; never longer than the role's max_ttl and the
// mount's maximum. capped tells that something longer had been asked for.
func (r Role) Lifetime(asked Seconds, caps Caps) (granted Seconds, capped bool) {
	granted = asked
	if granted == 0 {
		granted = r.TTL
	}
	wanted := granted
	if granted == 0 {
		granted = caps.Default
	}
	granted = min(granted, r.MaxLifetime(caps))
	return granted, wanted > granted
}

// MaxLifetime is the most that a version may live after it was made.
func (r Role) MaxLifetime(caps Caps) Seconds {
	if r.MaxTTL > 0 {
		return min(r.MaxTTL, caps.Max)
	}
	return caps.Max
}

// Grace is how long the replaced version works after a rotation: what was asked
// for, else the role's.
func (r Role) Grace(asked *Seconds) (Seconds, error) {
	if asked == nil {
		return r.GracePeriod, nil
	}
	if *asked > r.MaxGracePeriod {
		return 0, Mistake("grace_period exceeds the role's max_grace_period")
	}
	return *asked, nil
}

// Pending is how long the new version of a rotation may wait for its first use, 0
// where it takes effect at once: by what was asked for, else by the role.
func (r Role) Pending(as *string, asked *Seconds) (Seconds, error) {
	activation := r.Activation
	if as != nil {
		activation = *as
	}
	switch {
	case activation != Immediate && activation != FirstUse:
		return 0, ErrActivation
	case asked == nil && activation == Immediate:
		return 0, nil
	case activation == Immediate:
		return 0, Mistake("pending_period goes with activation=first_use")
	case asked == nil:
		return r.MaxPendingPeriod, nil
	case *asked == 0:
		return 0, Mistake("pending_period must be at least one second")
	case *asked > r.MaxPendingPeriod:
		return 0, Mistake("pending_period exceeds the role's max_pending_period")
	}
	return *asked, nil
}

// RefreshAfter is when the holder of an unleased version should fetch the next
// one: at the role's rotation period, and in any case at two thirds of the
// lifetime, while this one still works.
func (r Role) RefreshAfter(lifetime Seconds) Seconds {
	after := lifetime * 2 / 3
	if r.RotationPeriod > 0 {
		after = min(after, r.RotationPeriod)
	}
	return max(1, after)
}

// MaxVersions is how many versions of a key are remembered, and how many cancelled
// ones beside them.
const MaxVersions = 8

// Supersede makes next the highest version and returns the one that it replaces,
// now or when it takes effect; nil for none. At most these two work: an earlier
// grace ends now, and a version that still waited is cancelled.
//
// A request that is run again replaces its own version. What its first run did to
// the others stays: their holders have seen nothing of it.
func (k *Key) Supersede(next Version, grace Seconds, now Time) *Version {
	k.sealed(next.Number, next.Recipients)
	if k.MadeBy(next.Request) {
		first := k.Versions[0]
		k.Versions = k.Versions[1:]
		if !first.Waits() { // it took effect, and so has what is made in its place
			next.PendingUntil = 0
			return k.add(next)
		}
	} else {
		k.clear(now)
	}
	if next.PendingUntil != 0 {
		next.Grace = grace
	} else {
		k.Current().supersede(grace, now)
	}
	return k.add(next)
}

// clear ends what an earlier rotation left: its grace, or the version that waits.
// Hashes of cancelled versions go: one can be asked for again and again.
func (k *Key) clear(now Time) {
	k.Highest().Request = ""
	for i := range k.Versions {
		v := &k.Versions[i]
		switch {
		case v.Waits():
			v.cancel("", now)
		case v.CancelledAt != 0:
			v.Hash = keyhash.PHC{}
		case v.SupersededAt != 0:
			v.ValidUntil = min(v.ValidUntil, now)
		}
	}
}

// add makes next the highest version and returns the one that it replaces. The
// oldest beyond those that are remembered go.
func (k *Key) add(next Version) *Version {
	kept, others, cancelled := []Version{next}, 1, 0
	for _, v := range k.Versions {
		of := &others
		if v.CancelledAt != 0 {
			of = &cancelled
		}
		if *of < MaxVersions {
			*of++
			kept = append(kept, v)
		}
	}
	k.Versions = kept
	if before := k.replaced(k.Highest()); before != nil {
		copied := *before
		return &copied
	}
	return nil
}

// EndGraces writes down that the graces of these versions are over, whatever the
// clock says now, and tells whether the record said otherwise of any.
func (k *Key) EndGraces(numbers []int, now Time) bool {
	changed := false
	for _, n := range numbers {
		if v := k.Find(n); v != nil && v.SupersededAt != 0 && v.ValidUntil > now {
			v.ValidUntil, changed = now, true
		}
	}
	return changed
}

// Forget drops the hashes of versions that stopped working longer ago than
// retention, and tells whether it dropped any. Right after a rotation it is too
// early: a version that was ended a moment ago may be current again.
func (k *Key) Forget(retention Seconds, now Time) bool {
	forgot := false
	for i := range k.Versions {
		v := &k.Versions[i]
		if over := v.over(); over != 0 && !v.Hash.None() && now >= over.Add(retention) {
			v.Hash, forgot = keyhash.PHC{}, true
		}
	}
	return forgot
}

// Revoke ends the key for good. The first time and reason stay.
func (k *Key) Revoke(reason string, now Time) error {
	if k.RevokedAt != 0 {
		return ErrUnchanged
	}
	k.RevokedAt = now
	k.RevokeReason = reason
	return nil
}

// Expire writes an idle end down, so that no later change of the role revives
// the key. It never moves an end to later.
func (k *Key) Expire(at Time) error {
	if at >= k.Current().ExpiresAt {
		return ErrUnchanged
	}
	if p := k.Pending(); p != nil {
		p.CancelledAt = at // or it would take the place of what expires
	}
	k.Current().ExpiresAt = at
	return nil
}
