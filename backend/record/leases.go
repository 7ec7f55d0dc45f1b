package record

import "errors"

// ErrLastOne is returned when a key has no other version than the one to be
// withdrawn.
var ErrLastOne = errors.New("the key has no other version")

// Withdraw takes the highest version back, which nobody has: the one before is
// current again, as it was. An older version's withdrawal is its end, and touches
// nothing else.
func (k *Key) Withdraw(number int, now Time) error {
	highest := *k.Highest()
	switch {
	case k.RevokedAt != 0:
		return ErrUnchanged
	case highest.Number != number || highest.CancelledAt != 0:
		return k.EndVersion(number, now)
	case k.replaced(&highest) == nil:
		return ErrLastOne
	}
	k.Withdrawn = number
	if k.SealedFrom == number {
		k.SealedFrom = 0
	}
	k.Versions = k.Versions[1:]
	if !highest.Waits() {
		k.Current().SupersededAt, k.Current().ValidUntil = 0, 0
	}
	return nil
}

// LeaseEnded is the reason of a revocation by the end of a lease.
const LeaseEnded = "the lease of its current version was ended"

// EndVersion is what the end of a version's lease does: the current version's
// end is the key's, the end of one that waits cancels it, and an older one's touches
// nothing else. An end that the record knows already changes nothing.
//
// An older version expires then, too, also where its grace is over: should the
// rotation that replaced it be withdrawn, it must not outlive its lease.
func (k *Key) EndVersion(number int, now Time) error {
	v := k.Find(number)
	switch {
	case v == nil || k.RevokedAt != 0 || v.CancelledAt != 0:
		return ErrUnchanged
	case v.Waits(): // also where the current one has just expired
		v.CancelledAt = now
		return nil
	case now >= k.Current().ExpiresAt:
		return ErrUnchanged
	case v.Number == k.Current().Number:
		return k.Revoke(LeaseEnded, now)
	case now >= v.ValidUntil && now >= v.ExpiresAt:
		return ErrUnchanged
	}
	v.ValidUntil, v.ExpiresAt, v.Cut = min(v.ValidUntil, now), min(v.ExpiresAt, now), true
	return nil
}
