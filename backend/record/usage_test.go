package record_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestTheLastUsesOfAKey(t *testing.T) {
	t.Parallel()
	var u record.Uses
	if u.Latest() != 0 || u.Of(1) != 0 {
		t.Errorf("of a key that was never used: %d, %d", u.Latest(), u.Of(1))
	}
	for _, step := range []struct {
		use    record.Use
		want   record.Uses
		latest record.Time
	}{
		{record.Use{Version: 1, At: 10}, record.Uses{{1, 10}}, 10},
		{record.Use{Version: 0, At: 12}, record.Uses{{1, 10}, {0, 12}}, 12},
		{record.Use{Version: 2, At: 11}, record.Uses{{2, 11}, {1, 10}, {0, 12}}, 12},
		{record.Use{Version: 1, At: 9}, record.Uses{{2, 11}, {1, 10}, {0, 12}}, 12},
		{record.Use{Version: 1, At: 10}, record.Uses{{2, 11}, {1, 10}, {0, 12}}, 12},
		{record.Use{Version: 1, At: 20}, record.Uses{{2, 11}, {1, 20}, {0, 12}}, 20},
		{record.Use{Version: 0, At: 30}, record.Uses{{2, 11}, {1, 20}, {0, 30}}, 30},
	} {
		before := slices.Clone(u)
		added := u.Add(step.use)
		if !slices.Equal(u, before) {
			t.Fatalf("%+v changed the list that it was added to", step.use)
		}
		if u = added; !slices.Equal(u, step.want) || u.Latest() != step.latest {
			t.Errorf("with %+v it is %v, last used %d", step.use, u, u.Latest())
		}
	}
}

func TestAsManyVersionsAreRememberedAsAKeyHas(t *testing.T) {
	t.Parallel()
	for _, child := range []bool{false, true} {
		var u record.Uses
		if child {
			u = u.Add(record.Use{At: 1})
		}
		for number := 1; number <= 30; number++ {
			u = u.Add(record.Use{Version: number, At: record.Time(number)})
			for back := range record.MaxVersions {
				if n := number - back; n > 0 && u.Of(n) != record.Time(n) {
					t.Fatalf("of %d versions, with children %v, version %d is forgotten: %v", number, child, n, u)
				}
			}
			if u.Of(0) != map[bool]record.Time{true: 1}[child] {
				t.Fatalf("the use through a child became %d", u.Of(0))
			}
		}
		if versions := slices.DeleteFunc(slices.Clone(u), func(use record.Use) bool { return use.Version == 0 }); len(versions) != record.MaxVersions {
			t.Errorf("%d versions are remembered", len(versions))
		}
	}
}

// Merging is monotone, and its order does not matter.
func TestUsesOnlyMoveForward(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	some := func() (u record.Uses) {
		for range random.IntN(6) {
			u = u.Add(record.Use{Version: random.IntN(5), At: 1 + record.Time(random.IntN(100))})
		}
		return u
	}
	for range 2000 {
		a, b, c := some(), some(), some()
		ab := a.Merge(b)
		if !slices.Equal(ab, b.Merge(a)) || !slices.Equal(ab.Merge(c), a.Merge(b.Merge(c))) || !slices.Equal(ab.Merge(a), ab) {
			t.Fatalf("the order matters for %v, %v, %v", a, b, c)
		}
		for version := range 5 {
			if ab.Of(version) != max(a.Of(version), b.Of(version)) {
				t.Fatalf("%v and %v are %v", a, b, ab)
			}
		}
		if ab.Latest() != max(a.Latest(), b.Latest()) {
			t.Fatalf("%v was last used at %d", ab, ab.Latest())
		}
	}
}

func TestAKeyThatWasActiveBeforeACrashMayHaveBeenUsedUpToIt(t *testing.T) {
	t.Parallel()
	const timeout = record.Seconds(100)
	gap := record.UsageGap{From: 970, Before: 1000}
	for name, tc := range map[string]struct {
		gaps         record.UsageGaps
		active, want record.Time
	}{
		"without a crash it is what is stored":      {nil, 900, 900},
		"used after the crash":                      {record.UsageGaps{gap}, 1000, 1000},
		"used long after the crash":                 {record.UsageGaps{gap}, 5000, 5000},
		"used a moment before it":                   {record.UsageGaps{gap}, 999, 1000},
		"not idle yet when the gap began":           {record.UsageGaps{gap}, 870, 1000},
		"idle a second before the gap began":        {record.UsageGaps{gap}, 869, 869},
		"never used, and idle for long":             {record.UsageGaps{gap}, 10, 10},
		"through a second crash":                    {record.UsageGaps{gap, {From: 1080, Before: 1110}}, 880, 1110},
		"not through a second one that is too late": {record.UsageGaps{gap, {From: 1101, Before: 1131}}, 880, 1000},
	} {
		if got := tc.gaps.Credit(tc.active, timeout); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// However many crashes there were, none that matters is forgotten, and what is
// kept of them stays small.
func TestManyCrashesCostNoKeyItsLife(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		var all, kept record.UsageGaps
		at := record.Time(1000)
		for range 60 {
			at = at.Add(1 + record.Seconds(random.Int64N(200)))
			gap := record.UsageGap{From: at.Add(-record.Seconds(random.Int64N(60))), Before: at}
			all, kept = append(all, gap), kept.Add(gap)
			if len(kept) > 16 {
				t.Fatalf("%d gaps are kept", len(kept))
			}
		}
		for range 50 {
			active, timeout := record.Time(1000+random.Int64N(6000)), record.Seconds(1+random.Int64N(300))
			if got, least := kept.Credit(active, timeout), all.Credit(active, timeout); got < least {
				t.Fatalf("active at %d with a timeout of %d it counts as used at %d, at least %d", active, timeout, got, least)
			}
		}
	}
}
