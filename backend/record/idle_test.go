package record_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestWhenAnUnusedKeyEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		role     *record.Role
		lastUsed record.Time
		end      record.Time
	}{
		"never under a role without a timeout":    {&record.Role{}, 0, 0},
		"never without a role":                    {nil, 0, 0},
		"a timeout after its creation":            {&record.Role{IdleTimeout: 60}, 0, 1060},
		"a timeout after its last use":            {&record.Role{IdleTimeout: 60}, 1500, 1560},
		"a use before its creation does not help": {&record.Role{IdleTimeout: 60}, 500, 1060},
	} {
		k, s := keyAt(1000), record.Standing{Role: tc.role, LastUsed: tc.lastUsed}
		if got := k.IdleEnd(s); got != tc.end {
			t.Errorf("%s: %d", name, got)
		}
		if tc.end != 0 && (k.Idle(s, tc.end-1) || !k.Idle(s, tc.end)) || tc.end == 0 && k.Idle(s, 1<<40) {
			t.Errorf("%s: not at its very second", name)
		}
	}
}

func TestAnIdleEndIsWrittenDownAndMovesNothingToLater(t *testing.T) {
	t.Parallel()
	k := keyAt(1000) // expires at 4600
	for _, step := range []struct {
		at, want  record.Time
		unchanged bool
	}{{4601, 4600, true}, {4600, 4600, true}, {3000, 3000, false}, {3500, 3000, true}, {2000, 2000, false}} {
		err := k.Expire(step.at)
		if (err == record.ErrUnchanged) != step.unchanged || k.Newest().ExpiresAt != step.want {
			t.Errorf("ended at %d it expires at %d, %v", step.at, k.Newest().ExpiresAt, err)
		}
	}
	s := record.Standing{Role: &record.Role{UID: "u1"}}
	if k.State(s, 2000) != record.Expired || k.EndedAt(s, 2500) != 2000 {
		t.Errorf("it is %s, ended at %d", k.State(s, 2000), k.EndedAt(s, 2500))
	}
}
