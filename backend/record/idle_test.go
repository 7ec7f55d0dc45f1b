package record_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestAnIdleEndIsWrittenDownAndMovesNothingToLater(t *testing.T) {
	t.Parallel()
	k := keyAt(1000) // expires at 4600
	for _, step := range []struct {
		at, want  record.Time
		unchanged bool
	}{{4601, 4600, true}, {4600, 4600, true}, {3000, 3000, false}, {3500, 3000, true}, {2000, 2000, false}} {
		err := k.Expire(step.at)
		if (err == record.ErrUnchanged) != step.unchanged || k.Current().ExpiresAt != step.want {
			t.Errorf("ended at %d it expires at %d, %v", step.at, k.Current().ExpiresAt, err)
		}
	}
	s := record.Standing{Role: &record.Role{UID: "u1"}}
	if k.State(s, 2000) != record.Expired || k.EndedAt(s, 2500) != 2000 {
		t.Errorf("it is %s, ended at %d", k.State(s, 2000), k.EndedAt(s, 2500))
	}
}
