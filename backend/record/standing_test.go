package record_test

import (
	"fmt"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// outside is all that can be wrong with what a key depends on, and with the key.
type outside struct {
	revoked, roleGone, otherRole, ownerStopped, roleStopped bool
	expired, idle, idled                                    bool
	superseded                                              bool
	keyOff, roleOff                                         bool
	parentOff, orphaned                                     bool
}

func outsides() (all []outside) {
	for bits := range 1 << 13 {
		is := func(n int) bool { return bits>>n&1 == 1 }
		all = append(all, outside{is(0), is(1), is(2), is(3), is(4), is(5), is(6), is(7), is(8), is(9), is(10), is(11), is(12)})
	}
	return all
}

// expected is the table of the contract's section 7, in the order of its codes.
func (o outside) expected() record.State {
	switch {
	case o.revoked, o.roleGone, o.otherRole, o.ownerStopped, o.roleStopped:
		return record.Revoked
	case o.expired, o.idle, o.idled:
		return record.Expired
	case o.superseded:
		return record.Superseded
	case o.keyOff, o.roleOff:
		return record.Disabled
	case o.parentOff, o.orphaned:
		return record.ParentEnded
	default:
		return record.Active
	}
}

// build is a key and its standing of which all this is true at 2600.
func (o outside) build() (record.Key, *record.Version, record.Standing) {
	const now = 2600
	k := keyAt(1000)
	k.Supersede(versionAt(2, 2000), 601, 2000) // version 1 works until 2601
	k.Parent, k.RoleGeneration, k.OwnerGeneration = "parent", 3, 5
	k.Current().ExpiresAt = now + 1
	s := record.Standing{
		Role:            &record.Role{UID: "u1", Disabled: o.roleOff, Stop: record.Stop{Generation: 3}},
		Owner:           record.Owner{Stop: record.Stop{Generation: 5}},
		IdleEnd:         now + 1,
		Seen:            record.Seen{Idle: o.idled},
		AncestorsActive: !o.parentOff,
	}
	if o.revoked {
		k.RevokedAt = 1
	}
	if o.ownerStopped {
		s.Owner.Generation++
	}
	if o.roleStopped {
		s.Role.Generation++
	}
	if o.expired {
		k.Current().ExpiresAt = now
	}
	if o.idle {
		s.IdleEnd--
	}
	if o.orphaned {
		k.OrphanedAt = 2500
	}
	k.Disabled = o.keyOff
	if o.otherRole {
		s.Role = k.IssuedUnder(&record.Role{UID: "u2"})
	}
	if o.roleGone {
		s.Role = nil
	}
	v := k.Current()
	if o.superseded {
		k.Versions[1].ValidUntil = now
		v = &k.Versions[1]
	}
	return k, v, s
}

func TestTheStateIsTheFirstOfAllThatCanBeWrong(t *testing.T) {
	t.Parallel()
	for _, o := range outsides() {
		k, v, s := o.build()
		want := o.expected()
		if got := k.StateOf(v, s, 2600); got != want {
			t.Fatalf("%+v: %s, want %s", o, got, want)
		}
		whole := o
		whole.superseded = false
		if got := k.State(s, 2600); got != whole.expected() {
			t.Fatalf("%+v: the key is %s, want %s", o, got, whole.expected())
		}
	}
}

func TestAKeyEndsWithItsAncestors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		parent            string
		active, ended     bool
		disabled, expired bool
		wantState         record.State
		wantEnded         bool
	}{
		"whose parent is active":              {parent: "p", active: true, wantState: record.Active},
		"whose parent is disabled":            {parent: "p", wantState: record.ParentEnded},
		"whose parent has ended":              {parent: "p", ended: true, wantState: record.ParentEnded, wantEnded: true},
		"that has none":                       {wantState: record.Active},
		"that has none, whatever is said":     {ended: true, wantState: record.Active},
		"that is disabled, of one that ended": {parent: "p", ended: true, disabled: true, wantState: record.Disabled, wantEnded: true},
		"that has expired by itself":          {parent: "p", active: true, expired: true, wantState: record.Expired, wantEnded: true},
	} {
		k := keyAt(1000)
		k.Parent, k.Disabled = tc.parent, tc.disabled
		now := record.Time(1001)
		if tc.expired {
			now = k.Current().ExpiresAt
		}
		s := record.Standing{Role: &record.Role{UID: "u1"}, AncestorsActive: tc.active, AncestorsEnded: tc.ended}
		if state, ended := k.State(s, now), k.Ended(s, now); state != tc.wantState || ended != tc.wantEnded {
			t.Errorf("a key %s is %s, ended %v", name, state, ended)
		}
	}
}

func TestAStopEndsWhatWasIssuedBefore(t *testing.T) {
	t.Parallel()
	owner, role := record.Owner{}, record.Role{UID: "u1"}
	k := keyAt(1000)
	standing := func() record.Standing { return record.Standing{Owner: owner, Role: &role} }
	if k.State(standing(), 1500) != record.Active || k.EndedAt(standing(), 1500) != 0 {
		t.Fatal("it ended before the stop")
	}
	owner.Raise("leaked", 1500, "")
	if at, why := k.Revocation(standing()); k.State(standing(), 1500) != record.Revoked || at != 1500 || why != "leaked" || k.EndedAt(standing(), 1500) != 1500 {
		t.Errorf("it is %s since %d: %q", k.State(standing(), 1500), at, why)
	}
	role.Raise("the role's", 1400, "")
	if at, why := k.Revocation(standing()); at != 1400 || why != "the role's" {
		t.Errorf("of two stops it tells %d, %q", at, why)
	}
	k.OwnerGeneration = owner.Generation
	if at, why := k.Revocation(standing()); at != 1400 || why != "the role's" || k.State(standing(), 1500) != record.Revoked {
		t.Errorf("of the role's stop it tells %d, %q", at, why)
	}
	k.RoleGeneration = role.Generation
	if got := k.State(standing(), 1500); got != record.Active {
		t.Errorf("what was issued after both is %s", got)
	}
	owner.Raise("again", 1600, "")
	owner.Raise("and again", 1700, "")
	if owner.Generation != 3 || owner.Last() != (record.Halt{Generation: 3, At: 1700, Reason: "and again"}) {
		t.Errorf("after three stops the mark is %+v", owner)
	}
	k.RevokedAt, k.RevokeReason = 1450, "its own"
	if at, why := k.Revocation(standing()); at != 1450 || why != "its own" {
		t.Errorf("of its own revocation it tells %d, %q", at, why)
	}
	// A clock that was set back when the stop came changes nothing.
	k.RevokedAt, owner.Halts[1].At = 0, 1
	if got := k.State(standing(), 1500); got != record.Revoked {
		t.Errorf("after a stop of long ago it is %s", got)
	}
}

func TestAStopOfAnotherRoleOfTheNameIsNone(t *testing.T) {
	t.Parallel()
	k := keyAt(1000)
	other := record.Role{UID: "u2", Stop: record.Stop{Generation: 1, Halts: []record.Halt{{Generation: 1, At: 1500, Reason: "x"}}}}
	s := record.Standing{Role: k.IssuedUnder(&other)}
	if at, why := k.Revocation(s); s.Stopped(&k) != nil || at != 0 || why != "" || k.State(s, 1600) != record.Revoked {
		t.Errorf("it tells %d, %q", at, why)
	}
}

func TestTheEarliestEndCounts(t *testing.T) {
	t.Parallel()
	for bits := range 1 << 4 {
		is := func(n int) bool { return bits>>n&1 == 1 }
		for order := range 4 {
			at := func(n int) record.Time { return record.Time(1100 + 10*((n+order)%4)) }
			k, s, want := keyAt(1000), record.Standing{}, record.Time(0)
			note := func(t record.Time) {
				if want == 0 || t < want {
					want = t
				}
			}
			if is(0) {
				k.RevokedAt = at(0)
				note(at(0))
			}
			if is(1) {
				k.OrphanedAt = at(1)
				note(at(1))
			}
			if is(2) {
				s.Owner.Raise("", at(2), "")
				note(at(2))
			}
			if is(3) {
				k.Current().ExpiresAt = at(3)
				note(at(3))
			}
			if got := k.EndedAt(s, 1200); got != want {
				t.Errorf("%s: %d, want %d", fmt.Sprint(is(0), is(1), is(2), is(3), order), got, want)
			}
		}
	}
}
