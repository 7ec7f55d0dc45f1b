package record

// State is what a key, or one version of it, is worth at a moment. The zero
// State is none of the constants and denies.
type State string

// The states, in the order in which they are looked for: the first that
// applies is the answer.
const (
	Revoked    State = "revoked"
	Expired    State = "expired"
	Superseded State = "superseded" // of a version: replaced, and its grace is over
	Disabled   State = "disabled"
	Active     State = "active"
)

// Ended tells whether s is final for a key.
func (s State) Ended() bool { return s != Active && s != Disabled }

// State is that of the key as a whole, which is that of its newest version.
// role is the record under the key's role name, nil if there is none.
func (k *Key) State(role *Role, now Time) State {
	return k.StateOf(k.Newest(), role, now)
}

// StateOf is what verify decides for one version, before networks, scopes and
// limits. A superseded version is Active until its grace is over.
//
// A key whose role is gone, or is another role of the same name, counts as
// revoked: a new role of an old name revives nothing. The end of the newest
// version is the end of the key, and so of every version still in grace.
func (k *Key) StateOf(v *Version, role *Role, now Time) State {
	newest := k.Newest()
	switch {
	case k.RevokedAt != 0, role == nil, role.UID != k.RoleUID:
		return Revoked
	case now >= newest.ExpiresAt:
		return Expired
	case v.Number != newest.Number && now >= v.ValidUntil:
		return Superseded
	case k.Disabled, role.Disabled:
		return Disabled
	default:
		return Active
	}
}

// Status is what a read shows for one version. Unlike verify it calls a
// replaced version superseded in its grace, too.
func (k *Key) Status(v *Version, role *Role, now Time) State {
	s := k.StateOf(v, role, now)
	if v.Number != k.Newest().Number && !k.State(role, now).Ended() {
		return Superseded
	}
	return s
}

// EndedAt is when the key ended: the earlier of its revocation and its expiry;
// 0 while it lives. The end of a role is written down by tidy, because no clock
// tells when it was.
func (k *Key) EndedAt(now Time) Time {
	expiry := k.Newest().ExpiresAt
	switch {
	case k.RevokedAt != 0:
		return min(k.RevokedAt, expiry)
	case now >= expiry:
		return expiry
	default:
		return 0
	}
}
