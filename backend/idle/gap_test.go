package idle_test

import (
	"math/rand/v2"
	"testing"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
)

func TestAKeyThatWasActiveBeforeACrashMayHaveBeenUsedUpToIt(t *testing.T) {
	t.Parallel()
	const timeout = record.Seconds(100)
	gap := idle.Gap{From: 970, Before: 1000}
	for name, tc := range map[string]struct {
		gaps         idle.Gaps
		active, want record.Time
	}{
		"without a crash it is what is stored":      {nil, 900, 900},
		"used after the crash":                      {idle.Gaps{gap}, 1000, 1000},
		"used long after the crash":                 {idle.Gaps{gap}, 5000, 5000},
		"used a moment before it":                   {idle.Gaps{gap}, 999, 1000},
		"not idle yet when the gap began":           {idle.Gaps{gap}, 870, 1000},
		"idle a second before the gap began":        {idle.Gaps{gap}, 869, 869},
		"never used, and idle for long":             {idle.Gaps{gap}, 10, 10},
		"through a second crash":                    {idle.Gaps{gap, {From: 1080, Before: 1110}}, 880, 1110},
		"not through a second one that is too late": {idle.Gaps{gap, {From: 1101, Before: 1131}}, 880, 1000},
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
		var all, kept idle.Gaps
		at := record.Time(1000)
		for range 60 {
			at = at.Add(1 + record.Seconds(random.Int64N(200)))
			gap := idle.Gap{From: at.Add(-record.Seconds(random.Int64N(60))), Before: at}
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
