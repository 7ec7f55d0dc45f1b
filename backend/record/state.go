package record

import "slices"

// State is what a key, or one version of it, is worth at a moment. The zero
// State is none of the constants and denies.
type State string

// The states, in the order in which they are looked for: the first that
// applies is the answer.
const (
	Revoked     State = "revoked"
	Expired     State = "expired"
	Superseded  State = "superseded" // of a version: replaced, and its grace is over
	Disabled    State = "disabled"
	ParentEnded State = "parent_ended" // an ancestor does not verify any more
	Active      State = "active"
)

// What a read also calls a version.
const (
	Pending   State = "pending"
	Cancelled State = "cancelled"
)

// Ended tells whether s is final. A disabled key can be enabled, and a parent
// that does not verify may only be disabled; a state that this code does not
// know has ended.
func (s State) Ended() bool { return s != Active && s != Disabled && s != ParentEnded }

// Standing is what the state of a key depends on outside its own record.
type Standing struct {
	// Role is the one that the key was issued under, nil when that is gone. Another
	// of its name never stands here: see Key.IssuedUnder.
	Role  *Role
	Owner Owner // the zero Owner when it has no record
	// IdleEnd is when the key ends if nobody uses it, 0 for never: see package idle.
	IdleEnd Time
	// Seen is what was seen to end before, which is for good, though the record
	// does not say so, or the clock not any more.
	Seen Seen
	// AncestorsActive tells whether every ancestor still verifies. It is only
	// looked at where there is a parent.
	AncestorsActive bool
	// AncestorsEnded tells that an ancestor has ended for good, or is gone.
	AncestorsEnded bool
}

// Seen is what this process has seen to end of a key, by time.
type Seen struct {
	Idle       bool  // the key, at IdleEnd, under an idle_timeout as it was then
	Expired    bool  // its current version
	Superseded []int // versions whose grace was over
}

// Stopped is the stop that ended the key, the earliest of its owner's and its
// role's; nil if none did.
func (s Standing) Stopped(k *Key) *Halt {
	mark := s.Owner.EndOf(k.OwnerGeneration)
	if s.Role == nil {
		return mark
	}
	if of := s.Role.EndOf(k.RoleGeneration); of != nil && (mark == nil || of.At < mark.At) {
		mark = of
	}
	return mark
}

// Alone is the standing by which the record of a key alone decides: nothing else
// speaks against it.
func Alone(k *Key) Standing {
	return Standing{
		Role:            &Role{Stop: Stop{Generation: k.RoleGeneration}},
		Owner:           Owner{Stop{Generation: k.OwnerGeneration}},
		AncestorsActive: true,
	}
}

// State is that of the key as a whole, which is that of its current version.
func (k *Key) State(s Standing, now Time) State {
	return k.StateOf(k.Current(), s, now)
}

// Ended tells whether the key has ended for good, by itself or with an ancestor.
func (k *Key) Ended(s Standing, now Time) bool {
	return k.Parent != "" && s.AncestorsEnded || k.State(s, now).Ended()
}

// StateOf is what verify decides for one version of a settled key, before brownouts,
// networks, scopes and limits. A superseded version is Active until its grace is
// over.
//
// A key whose role is gone counts as revoked. The end of the current
// version is the end of the key, and so of every version still in grace.
func (k *Key) StateOf(v *Version, s Standing, now Time) State {
	switch {
	case k.RevokedAt != 0, s.Role == nil, s.Stopped(k) != nil:
		return Revoked
	case now >= k.Current().ExpiresAt, s.Seen.Expired, s.Idle(now):
		return Expired
	case v.CancelledAt != 0, v.SupersededAt != 0 && (now >= v.ValidUntil || slices.Contains(s.Seen.Superseded, v.Number)):
		return Superseded
	case k.Disabled, s.Role.Disabled:
		return Disabled
	case k.Parent != "" && !s.AncestorsActive, k.OrphanedAt != 0:
		return ParentEnded
	default:
		return Active
	}
}

// Idle tells whether nobody used the key for its role's idle_timeout.
func (s Standing) Idle(now Time) bool { return s.Seen.Idle || s.IdleEnd != 0 && now >= s.IdleEnd }

// Status is what a read shows for one version. Unlike verify it calls a
// replaced version superseded in its grace, too.
func (k *Key) Status(v *Version, s Standing, now Time) State {
	switch {
	case v.CancelledAt != 0:
		return Cancelled
	case k.State(s, now).Ended():
		return k.StateOf(v, s, now)
	case v.Waits():
		return Pending
	case v.SupersededAt != 0:
		return Superseded
	}
	return k.StateOf(v, s, now)
}

// EndedAt is when the key ended, by its record and a stop: the earliest of its
// revocation, its expiry, the stop, and when it was found orphaned; 0 while it
// lives. The ends of a role and of a parent, and an idle end, are written down
// by tidy.
func (k *Key) EndedAt(s Standing, now Time) Time {
	var ended Time
	if expiry := k.Current().ExpiresAt; now >= expiry {
		ended = expiry
	}
	earlier := func(t Time) {
		if t != 0 && (ended == 0 || t < ended) {
			ended = t
		}
	}
	earlier(k.RevokedAt)
	earlier(k.OrphanedAt)
	if stop := s.Stopped(k); stop != nil {
		earlier(stop.At)
	}
	return ended
}

// RoleGone is the reason that is written into a key whose role was deleted.
const RoleGone = "its role was deleted"

// EndBy writes down an end that the record does not say yet: by its role, by idleness,
// by an ancestor, or by a clock that was set back since.
func (k *Key) EndBy(s Standing, now Time) error {
	switch {
	case k.EndedAt(s, now) != 0:
		return ErrUnchanged
	case s.Role == nil:
		return k.Revoke(RoleGone, now)
	case s.Idle(now):
		return k.Expire(s.IdleEnd)
	case s.Seen.Expired: // before the clock was set back
		return k.Expire(now)
	case k.Parent != "" && s.AncestorsEnded:
		k.OrphanedAt = now
		return nil
	}
	return ErrUnchanged
}

// Revocation is when and why the key was revoked, by itself or by a stop: what
// came first counts.
func (k *Key) Revocation(s Standing) (at Time, reason string) {
	if stop := s.Stopped(k); stop != nil && (k.RevokedAt == 0 || stop.At < k.RevokedAt) {
		return stop.At, stop.Reason
	}
	return k.RevokedAt, k.RevokeReason
}
