package record_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// keyAt is a key that was issued at a time, with one version that lives an hour.
func keyAt(created record.Time) record.Key {
	return record.Key{
		ID: "3kTMd9Xq2LwVb7Rc", Role: "web", RoleUID: "u1", CreatedAt: created,
		Versions: []record.Version{versionAt(1, created)},
	}
}

func versionAt(number int, created record.Time) record.Version {
	return record.Version{Number: number, Hash: keyhash.Stored("h"), CreatedAt: created, ExpiresAt: created.Add(hour), Until: created.Add(hour), Lifetime: hour}
}

func text(t *testing.T, v record.Version) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTheReplacedVersionWorksUntilItsGraceOrItsOwnEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		grace record.Seconds
		want  record.Time
	}{
		"no grace ends it at once":              {0, 2000},
		"a grace ends with itself":              {600, 2600},
		"a grace to its very end":               {2600, 4600},
		"a longer grace ends with the version":  {2601, 4600},
		"a grace of years ends with it as well": {record.MaxSeconds, 4600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyAt(1000)
			replaced := k.Supersede(versionAt(2, 2000), tc.grace, 2000)
			if replaced.Number != 1 || replaced.SupersededAt != 2000 || replaced.ValidUntil != tc.want || replaced.ExpiresAt != 4600 {
				t.Errorf("replaced is %+v, want it valid until %d", replaced, tc.want)
			}
			if text(t, k.Versions[1]) != text(t, *replaced) {
				t.Errorf("the key remembers %+v", k.Versions[1])
			}
			if newest := k.Current(); newest.Number != 2 || newest.SupersededAt != 0 || newest.ValidUntil != 0 {
				t.Errorf("newest is %+v", newest)
			}
		})
	}
}

func TestAtMostTwoVersionsWorkAndEightAreRemembered(t *testing.T) {
	t.Parallel()
	k, now := keyAt(1000), record.Time(1000)
	role := &record.Role{UID: "u1"}
	for n := 2; n <= 12; n++ {
		now += 60
		k.Supersede(versionAt(n, now), 30*60, now)
		working := 0
		for i := range k.Versions {
			if k.StateOf(&k.Versions[i], record.Standing{Role: role}, now) == record.Active {
				working++
			}
		}
		if working != 2 {
			t.Errorf("after rotation to %d, %d versions work", n, working)
		}
		if len(k.Versions) != min(n, record.MaxVersions) {
			t.Errorf("after rotation to %d, %d versions are remembered", n, len(k.Versions))
		}
	}
	var numbers []int
	for _, v := range k.Versions {
		numbers = append(numbers, v.Number)
	}
	if want := []int{12, 11, 10, 9, 8, 7, 6, 5}; !slices.Equal(numbers, want) {
		t.Errorf("remembered are %v", numbers)
	}
	if k.Find(12) != k.Current() || k.Find(5) == nil || k.Find(4) != nil || k.Find(0) != nil || k.Find(13) != nil {
		t.Error("Find does not find what is remembered")
	}
}

func TestAnEarlierGraceIsNeverProlonged(t *testing.T) {
	t.Parallel()
	k := keyAt(1000)
	k.Supersede(versionAt(2, 1100), 60, 1100)
	k.Supersede(versionAt(3, 2000), 600, 2000)
	if got := k.Find(1).ValidUntil; got != 1160 {
		t.Errorf("a grace that was over at 1160 now ends at %d", got)
	}
	k.Supersede(versionAt(4, 2100), 600, 2100)
	if got := k.Find(2).ValidUntil; got != 2100 {
		t.Errorf("an earlier grace ends at %d, not with the next rotation", got)
	}
}

func TestHashesAreForgottenAfterTheRetention(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		now    record.Time
		forgot bool
	}{
		"not in the grace":                  {1500, false},
		"not when the grace is over":        {1700, false},
		"not a second before the retention": {1799, false},
		"at the retention's end":            {1800, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyAt(1000)
			k.Supersede(versionAt(2, 1100), 600, 1100)
			if forgot := k.Forget(100, tc.now); forgot != tc.forgot {
				t.Errorf("forgot: %v", forgot)
			}
			if k.Find(1).Hash.None() != tc.forgot || k.Current().Hash.None() {
				t.Errorf("the hashes are %q and %q", k.Current().Hash.Reveal(), k.Find(1).Hash.Reveal())
			}
			if tc.forgot && k.Forget(100, tc.now) {
				t.Error("it forgot twice")
			}
		})
	}
	k := keyAt(1000)
	if k.Forget(0, 1_000_000) || k.Current().Hash.None() {
		t.Error("the newest version's hash was forgotten")
	}
}

func TestTheFirstRevocationStays(t *testing.T) {
	t.Parallel()
	k := keyAt(1000)
	if err := k.Revoke("leaked", 1500); err != nil {
		t.Fatal(err)
	}
	if err := k.Revoke("again", 1600); !errors.Is(err, record.ErrUnchanged) {
		t.Errorf("the second answered %v", err)
	}
	if k.RevokedAt != 1500 || k.RevokeReason != "leaked" {
		t.Errorf("revoked at %d: %q", k.RevokedAt, k.RevokeReason)
	}
}

func TestTheEndOfALease(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		number    int
		before    func(k *record.Key)
		now       record.Time
		unchanged bool
		revoked   record.Time
		grace     record.Time // of version 2
		expires   record.Time // of the version, where that changes
	}{
		"of the newest version ends the key":                {number: 3, now: 2500, revoked: 2500, grace: 2600},
		"of a version in grace ends that version only":      {number: 2, now: 2500, grace: 2500, expires: 2500},
		"of a version after its grace lets it expire":       {number: 2, now: 2600, grace: 2600, expires: 2600},
		"of an older version lets it expire":                {number: 1, now: 2500, grace: 2600, expires: 2500},
		"of a version that has expired changes nothing":     {number: 1, now: 4600, grace: 2600, unchanged: true},
		"of a forgotten version changes nothing":            {number: 7, now: 2500, grace: 2600, unchanged: true},
		"after the key's expiry changes nothing":            {number: 3, now: 5600, grace: 2600, unchanged: true},
		"a second before the key's expiry ends the key":     {number: 3, now: 5599, grace: 2600, revoked: 5599},
		"of a revoked key keeps its revocation":             {number: 3, now: 2500, grace: 2600, revoked: 2400, unchanged: true, before: func(k *record.Key) { k.RevokedAt = 2400 }},
		"of an older version of a revoked key does nothing": {number: 2, now: 2500, grace: 2600, revoked: 2400, unchanged: true, before: func(k *record.Key) { k.RevokedAt = 2400 }},
		"of a disabled key ends it":                         {number: 3, now: 2500, grace: 2600, revoked: 2500, before: func(k *record.Key) { k.Disabled = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keyAt(1000)
			k.Supersede(versionAt(2, 1100), 60, 1100)
			k.Supersede(versionAt(3, 2000), 600, 2000)
			if tc.before != nil {
				tc.before(&k)
			}
			var before record.Time
			if v := k.Find(tc.number); v != nil {
				before = v.ExpiresAt
			}
			err := k.EndVersion(tc.number, tc.now)
			if errors.Is(err, record.ErrUnchanged) != tc.unchanged || err != nil && !tc.unchanged {
				t.Errorf("it answered %v", err)
			}
			if k.RevokedAt != tc.revoked || k.Find(2).ValidUntil != tc.grace {
				t.Errorf("revoked at %d, grace until %d", k.RevokedAt, k.Find(2).ValidUntil)
			}
			if v := k.Find(tc.number); v != nil && v.ExpiresAt != cmp.Or(tc.expires, before) {
				t.Errorf("the version expires at %d", v.ExpiresAt)
			}
			if err == nil && tc.revoked != 0 && k.RevokeReason != record.LeaseEnded {
				t.Errorf("the reason is %q", k.RevokeReason)
			}
			if err := k.EndVersion(tc.number, tc.now+1); !errors.Is(err, record.ErrUnchanged) {
				t.Errorf("repeated it answered %v", err)
			}
		})
	}
}

func TestACloneSharesNothingThatChanges(t *testing.T) {
	t.Parallel()
	k := keyAt(1000)
	k.Metadata, k.Scopes = map[string]string{"a": "1"}, []string{"read"}
	c := k.Clone()
	c.Metadata["a"], c.Scopes[0], c.Versions[0].Hash = "2", "write", keyhash.Stored("other")
	if k.Metadata["a"] != "1" || k.Scopes[0] != "read" || k.Versions[0].Hash.Reveal() != "h" {
		t.Errorf("a change of the clone reached the original: %+v", k)
	}
}
