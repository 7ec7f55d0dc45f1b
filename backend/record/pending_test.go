package record_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// rotated is a key whose version 1 expires at 1000, and whose version 2 was made at
// 100, waits until 200, expires at 1100 and gives the one before 50 seconds.
func rotated() record.Key {
	hash := keyhash.Stored("h")
	k := record.Key{ID: "a", Versions: []record.Version{{Number: 1, Hash: hash, ExpiresAt: 1000, Until: 1000}}}
	k.Supersede(record.Version{Number: 2, Hash: hash, CreatedAt: 100, ExpiresAt: 1100, Until: 1100, PendingUntil: 200, Request: "r"}, 50, 100)
	return k
}

// asStored is v as it is stored: two hashes are not compared by what holds them.
func asStored(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

func TestAVersionThatWaitsTakesEffectOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change    func(k *record.Key)
		used, now record.Time
		at        record.Time // when it took effect, 0 for not
		until     record.Time // the end of the grace of the one before
	}{
		"not before anything happens":         {nil, 0, 199, 0, 0},
		"at its first use":                    {nil, 120, 120, 120, 170},
		"when it has waited for long enough":  {nil, 0, 200, 200, 250},
		"and then since that second":          {nil, 0, 900, 200, 250},
		"by time, where its use came later":   {nil, 230, 230, 200, 250},
		"when the current one expires":        {func(k *record.Key) { k.Current().ExpiresAt = 150 }, 0, 150, 150, 150},
		"with a grace that its end cuts":      {func(k *record.Key) { k.Current().ExpiresAt = 220 }, 0, 200, 200, 220},
		"not of a key that is revoked":        {func(k *record.Key) { k.RevokedAt = 150 }, 0, 500, 0, 0},
		"without any grace":                   {func(k *record.Key) { k.Pending().Grace = 0 }, 120, 120, 120, 120},
		"its end comes at the same second":    {func(k *record.Key) { k.Pending().ExpiresAt = 200 }, 0, 200, 0, 0},
		"a use before its end, seen after it": {func(k *record.Key) { k.Pending().ExpiresAt = 150 }, 120, 160, 120, 170},
	} {
		k := rotated()
		if tc.change != nil {
			tc.change(&k)
		}
		before := asStored(k)
		is := k // shares its versions, as what a cache holds does
		changed := is.Settle(tc.used, tc.now)
		if changed != (tc.at != 0 || is.Highest().CancelledAt != 0) || asStored(k) != before {
			t.Errorf("%s: changed %v, and the key itself to %+v", name, changed, k.Versions)
		}
		if now, was := is.Highest(), is.Find(1); now.ActivatedAt != tc.at || was.SupersededAt != tc.at || was.ValidUntil != tc.until {
			t.Errorf("%s: %+v after %+v", name, now, was)
		}
		if want := 1 + min(1, int(tc.at)); is.Current().Number != want {
			t.Errorf("%s: version %d is current", name, is.Current().Number)
		}
		if is.Settle(tc.used, tc.now) {
			t.Errorf("%s: and changes again", name)
		}
	}
}

func TestAVersionThatEndsWhileItWaitsTouchesNothingElse(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(k *record.Key) error{
		"by its lease":      func(k *record.Key) error { return k.EndVersion(2, 150) },
		"by its expires_at": func(k *record.Key) error { k.Pending().ExpiresAt = 150; k.Settle(0, 150); return nil },
	} {
		k := rotated()
		before := asStored(*k.Current())
		if err := end(&k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v := k.Highest()
		if v.CancelledAt != 150 || v.Hash.None() || k.Status(v, record.Alone(&k), 160) != record.Cancelled || k.StateOf(v, record.Alone(&k), 160) != record.Superseded {
			t.Errorf("%s: it is %+v, %s", name, v, k.StateOf(v, record.Alone(&k), 160))
		}
		if asStored(*k.Current()) != before || k.State(record.Alone(&k), 500) != record.Active {
			t.Errorf("%s: the current one is %+v", name, k.Current())
		}
		if k.EndVersion(2, 170) != record.ErrUnchanged || k.Forget(100, 249) || !k.Forget(100, 250) {
			t.Errorf("%s: it ends again, or its hash is kept for another time than others'", name)
		}
	}
	k := rotated()
	if err := k.EndVersion(1, 150); err != nil || k.RevokedAt != 150 {
		t.Errorf("the end of the current one's lease: %v, revoked at %d", err, k.RevokedAt)
	}
}

// Lost answers, however many, never push the current version out.
func TestRotationsThatNobodySawLeaveTheCurrentVersion(t *testing.T) {
	t.Parallel()
	k := rotated()
	for n := 3; n < 60; n++ {
		previous := k.Supersede(record.Version{Number: n, Hash: keyhash.Stored("h"), ExpiresAt: 1100, Until: 1100, PendingUntil: 900}, 50, 110)
		if previous.Number != 1 || previous.SupersededAt != 0 || k.Current().Number != 1 || k.Pending().Number != n {
			t.Fatalf("version %d replaces %+v", n, previous)
		}
	}
	if len(k.Versions) != 2+record.MaxVersions {
		t.Errorf("%d versions are kept", len(k.Versions))
	}
	for _, v := range k.Versions {
		if kept := v.Number == 1 || v.Number == 59; v.Hash.None() == kept || (v.CancelledAt == 0) != kept {
			t.Errorf("version %d is kept as %+v", v.Number, v)
		}
	}
	// And an immediate one cancels what waits, and replaces what is current.
	if previous := k.Supersede(record.Version{Number: 60, ExpiresAt: 1100}, 50, 120); previous.Number != 1 || previous.ValidUntil != 170 || k.Find(59).CancelledAt != 120 || k.Current().Number != 60 {
		t.Errorf("an immediate one replaces %+v", previous)
	}
}

func TestARotationEndsAnEarlierGrace(t *testing.T) {
	t.Parallel()
	k := rotated()
	k.Settle(120, 120)
	k.Supersede(record.Version{Number: 3, ExpiresAt: 1100, PendingUntil: 200}, 50, 130)
	if k.Find(1).ValidUntil != 130 || k.Current().Number != 2 || k.Current().SupersededAt != 0 {
		t.Errorf("the versions are %+v", k.Versions)
	}
}

func TestWhoMayHandOnTheKeysPower(t *testing.T) {
	t.Parallel()
	k := rotated()
	for number, want := range map[int]bool{0: false, 1: true, 2: true, 3: false} {
		if k.Carries(number, "another") != want {
			t.Errorf("version %d: %v", number, !want)
		}
	}
	if k.Carries(2, "r") || !k.Carries(1, "r") || k.HighestFor("r") != 1 || k.HighestFor("") != 2 || k.NumberFor("r") != 2 || k.NumberFor("") != 3 {
		t.Error("a request that is run again finds what it made itself")
	}
	k.Settle(120, 120)
	if k.Carries(1, "") || !k.Carries(2, "") {
		t.Error("a superseded version carries the key's power")
	}
}

// A first run may have come to any of these states before the plugin died.
func TestARotationThatIsRunAgainCountsOnce(t *testing.T) {
	t.Parallel()
	waits := record.Version{Number: 2, CreatedAt: 130, ExpiresAt: 1130, PendingUntil: 230, Request: "r"}
	k := rotated()
	if previous := k.Supersede(waits, 60, 130); previous.Number != 1 || previous.SupersededAt != 0 || len(k.Versions) != 2 || k.Pending().Grace != 60 {
		t.Errorf("while it waits: %+v", k.Versions)
	}
	k = rotated()
	k.Settle(0, 210) // it took effect by time
	if previous := k.Supersede(waits, 60, 210); previous.ValidUntil != 250 || k.Current().Number != 2 || k.Current().InEffectSince() != 130 {
		t.Errorf("once it took effect: %+v", k.Versions)
	}
	k = rotated()
	at := waits
	at.PendingUntil = 0 // the role says so by now
	if previous := k.Supersede(at, 60, 130); previous.ValidUntil != 190 || k.Current().Number != 2 {
		t.Errorf("at once, where it waited: %+v", k.Versions)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(k *record.Key)
		now     record.Time
		err     error
		current int
	}{
		"while it waits":                   {nil, 150, nil, 1},
		"in the grace of the one before":   {func(k *record.Key) { k.Settle(120, 120) }, 169, nil, 1},
		"when that is over":                {func(k *record.Key) { k.Settle(120, 120) }, 170, record.ErrNotRotating, 2},
		"to a lease that is cut":           {func(k *record.Key) { k.Settle(120, 120); k.Find(1).Cut = true }, 150, record.ErrLeaseIsCut, 2},
		"where nothing was rotated":        {func(k *record.Key) { k.Versions = k.Versions[1:] }, 150, record.ErrNotRotating, 1},
		"where it was taken back before":   {func(k *record.Key) { _ = k.Rollback("", 110) }, 150, record.ErrNotRotating, 1},
		"of the one that is in effect now": {func(k *record.Key) { k.Settle(120, 120); k.Find(1).ExpiresAt = 5000 }, 150, nil, 1},
	} {
		k := rotated()
		if tc.change != nil {
			tc.change(&k)
		}
		expires := k.Find(1).ExpiresAt
		if err := k.Rollback("it broke", tc.now); !errors.Is(err, tc.err) || k.Current().Number != tc.current {
			t.Errorf("%s: %v, version %d is current", name, err, k.Current().Number)
		}
		if tc.err != nil {
			continue
		}
		if one, two := k.Find(1), k.Find(2); one.SupersededAt != 0 || one.ValidUntil != 0 || one.ExpiresAt != expires || two.CancelledAt != tc.now || two.CancelReason != "it broke" || !two.Hash.None() {
			t.Errorf("%s: the versions are %+v", name, k.Versions)
		}
		if k.NumberFor("") != 3 {
			t.Errorf("%s: number %d is used again", name, k.NumberFor(""))
		}
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(k *record.Key)
		grace  record.Seconds
		now    record.Time
		err    error
		until  record.Time
	}{
		"while it waits":                    {nil, 0, 150, nil, 150},
		"while it waits, with a grace":      {nil, 20, 150, nil, 170},
		"and never longer than it had been": {nil, 51, 150, nil, 200},
		"in grace":                          {func(k *record.Key) { k.Settle(120, 120) }, 0, 150, nil, 150},
		"in grace, and never longer":        {func(k *record.Key) { k.Settle(120, 120) }, 60, 150, nil, 170},
		"when that is over":                 {func(k *record.Key) { k.Settle(120, 120) }, 0, 170, record.ErrNotRotating, 170},
	} {
		k := rotated()
		if tc.change != nil {
			tc.change(&k)
		}
		if err := k.Finish(tc.grace, tc.now); !errors.Is(err, tc.err) || k.Find(1).ValidUntil != tc.until || k.Current().Number != 2 {
			t.Errorf("%s: %v, %+v", name, err, k.Versions)
		}
	}
}

func TestBrownout(t *testing.T) {
	t.Parallel()
	const hour = 3600
	of := func(grace record.Seconds, left record.Seconds) record.Seconds {
		role := record.Role{GraceBrownout: true}
		v := record.Version{SupersededAt: 1000, ValidUntil: record.Time(1000).Add(grace)}
		return role.Brownout(&v, v.ValidUntil.Add(-left))
	}
	for _, tc := range []struct{ grace, left, want record.Seconds }{
		{4 * hour, hour, 300}, {4 * hour, hour - 1, 299}, {4 * hour, hour - 299, 1}, {4 * hour, hour - 300, 0},
		{4 * hour, hour + 1, 0}, {4 * hour, 1, 0}, {4 * hour, 0, 0}, {4 * hour, -5, 0},
		{4*hour - 1, hour - 10, 0}, // too short a grace
		{24 * hour, 6 * hour, 300}, {24 * hour, 5*hour - 100, 200}, {24 * hour, 5*hour - 300, 0}, {24 * hour, 7 * hour, 0},
	} {
		if got := of(tc.grace, tc.left); got != tc.want {
			t.Errorf("%d seconds before the end of %d it is refused for %d", tc.left, tc.grace, got)
		}
	}
	v := record.Version{SupersededAt: 1000, ValidUntil: 1000 + 4*hour}
	if (&record.Role{}).Brownout(&v, v.ValidUntil-hour) != 0 || (&record.Role{GraceBrownout: true}).Brownout(&record.Version{}, 5) != 0 {
		t.Error("there is a brownout where the role wants none, or of a version that was not replaced")
	}
}

func TestHowLongAVersionMayWait(t *testing.T) {
	t.Parallel()
	seconds := func(n record.Seconds) *record.Seconds { return &n }
	as := func(activation string) *string { return &activation }
	role := record.DefaultRole()
	role.MaxPendingPeriod = 100
	for _, tc := range []struct {
		of     string
		asked  *string
		period *record.Seconds
		want   record.Seconds
		err    string
	}{
		{record.Immediate, nil, nil, 0, ""},
		{record.FirstUse, nil, nil, 100, ""},
		{record.FirstUse, as(record.Immediate), nil, 0, ""},
		{record.Immediate, as(record.FirstUse), seconds(30), 30, ""},
		{record.Immediate, as(record.FirstUse), seconds(101), 0, "max_pending_period"},
		{record.Immediate, as(record.FirstUse), seconds(0), 0, "at least"},
		{record.Immediate, nil, seconds(30), 0, "goes with"},
		{record.FirstUse, as(record.Immediate), seconds(0), 0, "goes with"},
		{record.Immediate, as("later"), nil, 0, "must be"},
		{record.FirstUse, as(""), nil, 0, "must be"},
	} {
		role.Activation = tc.of
		got, err := role.Pending(tc.asked, tc.period)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%+v: %d, %v", tc, got, err)
		}
	}
}

func TestAnIdleEndIsTheEndAlsoWhereAVersionWaits(t *testing.T) {
	t.Parallel()
	k := rotated()
	if err := k.Expire(150); err != nil {
		t.Fatal(err)
	}
	k.Settle(0, 500)
	for _, v := range k.Versions { // that can still tell what became of them
		if got := k.StateOf(&v, record.Alone(&k), 150); got != record.Expired || v.Hash.None() {
			t.Errorf("version %d is %s: %+v", v.Number, got, v)
		}
	}
}
