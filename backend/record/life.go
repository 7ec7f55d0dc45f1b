package record

import (
	"errors"

	"vault-plugin-secrets-apikeys/backend/keyhash"
)

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

// MaxVersions is how many versions of a key are remembered.
const MaxVersions = 8

// Supersede makes next the newest version and returns the one that it replaced,
// which works until its grace is over or it expires itself; nil for none. At most
// these two work: an earlier grace ends now.
//
// A request that is run again replaces its own version. What its first run did to
// the others stays: their holders have seen nothing of it.
func (k *Key) Supersede(next Version, grace Seconds, now Time) *Version {
	k.Sealed = k.Sealed || next.Sealed()
	if k.MadeBy(next.Request) {
		k.Versions[0] = next
		return k.replaced()
	}
	for i := range k.Versions[1:] {
		v := &k.Versions[i+1]
		v.ValidUntil = min(v.ValidUntil, now)
	}
	previous := k.Newest()
	previous.SupersededAt = now
	previous.ValidUntil = min(now.Add(grace), previous.ExpiresAt)
	previous.Request = ""
	k.Versions = append([]Version{next}, k.Versions...)
	if len(k.Versions) > MaxVersions {
		k.Versions = k.Versions[:MaxVersions]
	}
	return k.replaced()
}

// replaced is the version before the newest, nil for none.
func (k *Key) replaced() *Version {
	if len(k.Versions) == 1 {
		return nil
	}
	previous := k.Versions[1]
	return &previous
}

// EndGraces writes down that the graces of these versions are over, whatever the
// clock says now, and tells whether the record said otherwise of any.
func (k *Key) EndGraces(numbers []int, now Time) bool {
	changed := false
	for _, n := range numbers {
		if v := k.Find(n); v != nil && n != k.Newest().Number && v.ValidUntil > now {
			v.ValidUntil, changed = now, true
		}
	}
	return changed
}

// Forget drops the hashes of superseded versions that stopped working longer
// ago than retention, and tells whether it dropped any. Right after a rotation it
// is too early: a version that was ended a moment ago may be current again.
func (k *Key) Forget(retention Seconds, now Time) bool {
	forgot := false
	for i := range k.Versions[1:] {
		v := &k.Versions[i+1]
		if !v.Hash.None() && now >= v.ValidUntil.Add(retention) {
			v.Hash = keyhash.PHC{}
			forgot = true
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
	if at >= k.Newest().ExpiresAt {
		return ErrUnchanged
	}
	k.Newest().ExpiresAt = at
	return nil
}

// ErrLastOne is returned when a key has no other version than the one to be
// withdrawn.
var ErrLastOne = errors.New("the key has no other version")

// Withdraw takes the newest version back, which nobody has: the one before is
// current again, as it was. An older version's withdrawal is its end, and touches
// nothing else.
func (k *Key) Withdraw(number int, now Time) error {
	switch {
	case k.RevokedAt != 0:
		return ErrUnchanged
	case k.Newest().Number != number:
		return k.EndVersion(number, now)
	case len(k.Versions) == 1:
		return ErrLastOne
	}
	k.Withdrawn = number
	k.Versions = k.Versions[1:]
	k.Newest().SupersededAt, k.Newest().ValidUntil = 0, 0
	return nil
}

// LeaseEnded is the reason of a revocation by the end of a lease.
const LeaseEnded = "the lease of its newest version was ended"

// EndVersion is what the end of a version's lease does: the newest version's
// end is the key's, an older one's touches nothing else. An end that the record
// knows already changes nothing.
//
// An older version expires then, too, also where its grace is over: should the
// rotation that replaced it be withdrawn, it must not outlive its lease.
func (k *Key) EndVersion(number int, now Time) error {
	v := k.Find(number)
	switch {
	case v == nil || k.RevokedAt != 0 || now >= k.Newest().ExpiresAt:
		return ErrUnchanged
	case v.Number == k.Newest().Number:
		return k.Revoke(LeaseEnded, now)
	case now >= v.ValidUntil && now >= v.ExpiresAt:
		return ErrUnchanged
	}
	v.ValidUntil, v.ExpiresAt = min(v.ValidUntil, now), min(v.ExpiresAt, now)
	return nil
}
