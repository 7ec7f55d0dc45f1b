package record_test

import (
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// The lease of a version that waits may end in the very second in which the current
// one expires, before anybody has written that the other took its place.
func TestTheEndOfAPendingLeaseCountsInEverySecond(t *testing.T) {
	t.Parallel()
	for _, now := range []record.Time{199, 200, 201} {
		k := rotated()
		k.Current().ExpiresAt = 200
		if err := k.EndVersion(2, now); err != nil || k.Highest().CancelledAt != now {
			t.Errorf("at %d: %v, %+v", now, err, k.Highest())
		}
		k.Settle(0, 300)
		if got := k.StateOf(k.Highest(), record.Alone(&k), 300); !got.Ended() {
			t.Errorf("ended at %d it is %s", now, got)
		}
	}
}

// A rotation may be taken back between the two runs of the request that made it.
func TestARequestThatIsRunAgainDoesNotUndoACancellation(t *testing.T) {
	t.Parallel()
	for name, cancel := range map[string]func(k *record.Key){
		"rolled back while it waited": func(k *record.Key) { _ = k.Rollback("", 110) },
		"rolled back in grace":        func(k *record.Key) { k.Settle(110, 110); _ = k.Rollback("", 120) },
		"by the end of its lease":     func(k *record.Key) { _ = k.EndVersion(2, 110) },
		"by its own end":              func(k *record.Key) { k.Pending().ExpiresAt = 110; k.Settle(0, 110) },
	} {
		for _, pending := range []record.Time{0, 300} {
			k := rotated()
			cancel(&k)
			if k.MadeBy("r") || k.NumberFor("r") != 3 || k.HighestFor("r") != 2 || !k.Carries(1, "r") {
				t.Errorf("%s: number %d, found %d", name, k.NumberFor("r"), k.HighestFor("r"))
			}
			k.Supersede(record.Version{Number: k.NumberFor("r"), Hash: keyhash.Stored("h"), CreatedAt: 130, ExpiresAt: 1100, PendingUntil: pending, Request: "r"}, 50, 130)
			k.Settle(0, 400)
			if one, two := k.Find(1), k.Find(2); one.SupersededAt == 0 || two.CancelledAt == 0 || k.Current().Number != 3 {
				t.Errorf("%s: %+v", name, k.Versions)
			}
		}
	}
}

func TestWhoHoldsAVersionIsToldWhetherToFetchAnother(t *testing.T) {
	t.Parallel()
	role := record.Role{RotationPeriod: 100}
	for name, tc := range map[string]struct {
		change   func(k *record.Key)
		now      record.Time
		one, two bool
	}{
		"while one waits":             {nil, 150, true, false},
		"also where that is due, too": {nil, 199, true, false},
		"that is due itself":          {func(k *record.Key) { k.Pending().PendingUntil = 900 }, 200, true, true},
		"once it took effect":         {func(k *record.Key) { k.Settle(120, 120) }, 150, false, false},
		"and it is due":               {func(k *record.Key) { k.Settle(120, 120) }, 200, true, true},
		"of a key that has ended":     {func(k *record.Key) { k.RevokedAt = 120 }, 150, false, false},
	} {
		k := rotated()
		if tc.change != nil {
			tc.change(&k)
		}
		s := record.Alone(&k)
		s.Role.RotationPeriod = role.RotationPeriod
		if one, two := k.RotationDue(k.Find(1), s, tc.now), k.RotationDue(k.Find(2), s, tc.now); one != tc.one || two != tc.two {
			t.Errorf("%s: %v and %v", name, one, two)
		}
	}
}

// A version may have eight recipients of two thousand bytes each. Those that are
// cancelled, of which there may be eight more, keep nothing of that size.
func TestWhatIsCancelledIsSmall(t *testing.T) {
	t.Parallel()
	k := rotated()
	to := make([]string, record.MaxRecipients)
	for i := range to {
		to[i] = strings.Repeat("a", 2000)
	}
	for n := 3; n < 40; n++ {
		k.Supersede(record.Version{Number: n, Hash: keyhash.Stored("h"), ExpiresAt: 1100, PendingUntil: 900, Recipients: to}, 50, 110)
		if n%2 == 0 {
			_ = k.Rollback(strings.Repeat("x", record.MaxReason), 110)
		}
	}
	if size := len(asStored(k)); size > 30_000 {
		t.Errorf("it has %d bytes, in %d versions", size, len(k.Versions))
	}
}
