package record_test

import (
	"fmt"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// expectedOf is the table of section 7 of the contract, written down a second
// time: what applies, in the order in which it is answered.
func expectedOf(revoked, roleGone, otherRole, expired, older, graceOver, keyOff, roleOff bool) record.State {
	switch {
	case revoked || roleGone || otherRole:
		return record.Revoked
	case expired:
		return record.Expired
	case older && graceOver:
		return record.Superseded
	case keyOff || roleOff && !roleGone:
		return record.Disabled
	default:
		return record.Active
	}
}

func TestTheStateOfAVersionIsTheFirstThatApplies(t *testing.T) {
	t.Parallel()
	for bits := range 1 << 8 {
		is := func(n int) bool { return bits>>n&1 == 1 }
		revoked, roleGone, otherRole, expired := is(0), is(1), is(2), is(3)
		older, graceOver, keyOff, roleOff := is(4), is(5), is(6), is(7)

		k := keyAt(1000)
		k.Supersede(versionAt(2, 2000), 600, 2000) // version 1 works until 2600
		now := record.Time(2599)
		if graceOver {
			now = 2600
		}
		if expired {
			k.Current().ExpiresAt = now
		} else {
			k.Current().ExpiresAt = now + 1
		}
		if revoked {
			k.RevokedAt = 1
		}
		k.Disabled = keyOff
		role := &record.Role{UID: "u1", Disabled: roleOff}
		if otherRole {
			role.UID = "u2"
		}
		if roleGone {
			role = nil
		}
		role = k.IssuedUnder(role)
		v := k.Current()
		if older {
			v = &k.Versions[1]
		}
		name := fmt.Sprintf("revoked %v, role gone %v, other %v, expired %v, older %v, grace over %v, disabled %v %v",
			revoked, roleGone, otherRole, expired, older, graceOver, keyOff, roleOff)
		want := expectedOf(revoked, roleGone, otherRole, expired, older, graceOver, keyOff, roleOff)
		if got := k.StateOf(v, record.Standing{Role: role}, now); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		whole := expectedOf(revoked, roleGone, otherRole, expired, false, graceOver, keyOff, roleOff)
		if got := k.State(record.Standing{Role: role}, now); got != whole {
			t.Errorf("%s: the key is %s, want %s", name, got, whole)
		}
		shown := want
		if older && !whole.Ended() {
			shown = record.Superseded // in its grace, too
		}
		if got := k.Status(v, record.Standing{Role: role}, now); got != shown {
			t.Errorf("%s: shown as %s, want %s", name, got, shown)
		}
	}
}

func TestExpiryDecidesAtItsVerySecond(t *testing.T) {
	t.Parallel()
	k, role := keyAt(1000), &record.Role{UID: "u1"}
	for now, want := range map[record.Time]record.State{4599: record.Active, 4600: record.Expired, 4601: record.Expired} {
		if got := k.State(record.Standing{Role: role}, now); got != want {
			t.Errorf("at %d it is %s", now, got)
		}
	}
}

func TestWhichStatesAreFinal(t *testing.T) {
	t.Parallel()
	for state, final := range map[record.State]bool{
		record.Active: false, record.Disabled: false, record.ParentEnded: false,
		record.Revoked: true, record.Expired: true, record.Superseded: true, "": true, "unheard of": true,
	} {
		if state.Ended() != final {
			t.Errorf("%q is final: %v", state, state.Ended())
		}
	}
}

func TestWhenAKeyEnded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		revokedAt, now, want record.Time
	}{
		"not yet":                                {0, 4599, 0},
		"at its expiry":                          {0, 4600, 4600},
		"at its expiry, seen later":              {0, 9999, 4600},
		"at its revocation":                      {2000, 2000, 2000},
		"at its revocation, seen after expiry":   {2000, 9999, 2000},
		"at its expiry, when revoked after":      {5000, 9999, 4600},
		"at its revocation, by a clock set back": {2000, 1500, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyAt(1000)
			k.RevokedAt = tc.revokedAt
			if got := k.EndedAt(record.Standing{}, tc.now); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}
