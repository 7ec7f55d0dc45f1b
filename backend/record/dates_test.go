package record_test

import (
	"reflect"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// dated is a key that was made at made, rotated at replaced with a grace of 100,
// and whose versions live for 500.
func dated(made, replaced record.Time) record.Key {
	return record.Key{ID: "a", CreatedAt: made, Versions: []record.Version{
		{Number: 2, CreatedAt: replaced, ExpiresAt: replaced + 500, Until: replaced + 900},
		{Number: 1, CreatedAt: made, ExpiresAt: made + 500, Until: made + 900, SupersededAt: replaced, ValidUntil: replaced + 100},
	}}
}

func TestDatesMoveWithAllThatIsCountedFromThem(t *testing.T) {
	t.Parallel()
	back := func(at record.Time) record.Time { // what was written from 5000 on is ahead by 4000
		if at >= 5000 {
			return at - 4000
		}
		return at
	}
	for name, tc := range map[string]struct{ was, is record.Key }{
		"made and rotated under a wrong clock": {dated(5100, 5200), dated(1100, 1200)},
		"made under a right one":               {dated(1000, 1200), dated(1000, 1200)},
	} {
		moved := tc.was.Date(back)
		if moved != (name != "made under a right one") || !reflect.DeepEqual(tc.was, tc.is) {
			t.Errorf("%s: %v, %+v", name, moved, tc.was)
		}
	}
	k := dated(1000, 5200)
	k.RevokedAt, k.OrphanedAt = 5300, 5400
	if !k.Date(back) || k.Versions[0].ExpiresAt != 1700 || k.Versions[1].CreatedAt != 1000 || k.Versions[1].ValidUntil != 1300 || k.RevokedAt != 1300 || k.OrphanedAt != 1400 {
		t.Errorf("one that was rotated and revoked under it is %+v", k)
	}
}

func TestAKeyThatIsDatedAheadEndsAfterItsLifetime(t *testing.T) {
	t.Parallel()
	const by = 300
	k := dated(90_000, 90_010)
	before := k.Clone()
	if !k.FindAhead(1000, by) || k.AheadSince != 1000 || k.FindAhead(1001, by) {
		t.Fatalf("it was first found at %d", k.AheadSince)
	}
	for _, now := range []record.Time{1050, 1099} {
		if k.FindAhead(now, by) || k.Versions[1].ValidUntil != before.Versions[1].ValidUntil {
			t.Errorf("at %d its grace is over", now)
		}
	}
	if !k.FindAhead(1100, by) || k.Versions[1].ValidUntil != 1100 || k.Versions[0].ExpiresAt != before.Versions[0].ExpiresAt {
		t.Errorf("after a grace it is %+v", k.Versions)
	}
	if k.FindAhead(1499, by) {
		t.Error("it ended before its lifetime")
	}
	if !k.FindAhead(1500, by) || k.Versions[0].ExpiresAt != 1500 {
		t.Errorf("after its lifetime it is %+v", k.Versions)
	}
	if !k.FindAhead(1501, by) || k.AheadSince != 0 || k.FindAhead(1502, by) {
		t.Error("what has ended is still looked after")
	}
}

// What was replaced since has a grace by today's clock, which ends with it.
func TestNoGraceIsLongerThanALifeThatMoved(t *testing.T) {
	t.Parallel()
	k := record.Key{CreatedAt: 5100, Versions: []record.Version{
		{Number: 2, CreatedAt: 1200, ExpiresAt: 1700, Until: 1700},
		{Number: 1, CreatedAt: 5100, ExpiresAt: 5400, Until: 5400, SupersededAt: 1200, ValidUntil: 4800},
	}}
	k.Date(func(at record.Time) record.Time {
		if at >= 5000 {
			return at - 4000
		}
		return at
	})
	if v := k.Versions[1]; v.ExpiresAt != 1400 || v.ValidUntil != 1400 {
		t.Errorf("it expires at %d, its grace ends at %d", v.ExpiresAt, v.ValidUntil)
	}
}

// A renewal sets an end by today's clock. What it may be moved to is counted from
// when the key was found.
func TestAKeyThatIsDatedAheadAndRenewedLivesToItsEnd(t *testing.T) {
	t.Parallel()
	k := record.Key{Versions: []record.Version{{Number: 1, CreatedAt: 90_000, ExpiresAt: 90_500, Until: 90_900, Lifetime: 500}}}
	k.FindAhead(1000, 300)
	for now := record.Time(1100); now < 1900; now += 100 {
		k.Versions[0].ExpiresAt = now + 500
		if k.FindAhead(now+10, 300) {
			t.Fatalf("at %d it is %+v", now, k.Versions)
		}
	}
	if !k.FindAhead(1900, 300) || k.Versions[0].ExpiresAt != 1900 {
		t.Errorf("after all that it may live it is %+v", k.Versions)
	}
}

// A clock that was behind and is right again finds the keys as they were.
func TestAKeyThatLiesAheadNoMoreIsAsItWas(t *testing.T) {
	t.Parallel()
	k := dated(90_000, 90_010)
	before := k.Clone()
	k.FindAhead(1000, 300)
	if !k.FindAhead(90_050, 300) || !reflect.DeepEqual(k, before) {
		t.Errorf("it is %+v", k)
	}
	if k.FindAhead(89_800, 300) {
		t.Error("a few minutes are ahead")
	}
}
