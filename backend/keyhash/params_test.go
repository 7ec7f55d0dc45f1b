package keyhash

import (
	"strings"
	"testing"
)

func TestTheFloorIsOWASPs(t *testing.T) {
	t.Parallel()
	for iterations, floor := range map[uint32]uint32{1: 47104, 2: 19456, 3: 12288, 4: 9216, 5: 7168, 6: 7168, 10: 7168} {
		if err := (Params{floor, iterations, 1}).Validate(); err != nil {
			t.Errorf("%d/%d: %v", floor, iterations, err)
		}
		if err := (Params{floor - 1, iterations, 1}).Validate(); err == nil {
			t.Errorf("%d/%d is valid", floor-1, iterations)
		}
	}
	if err := DefaultParams().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	if err := (Params{MaxMemoryKiB, MaxIterations, MaxParallelism}).Validate(); err != nil {
		t.Errorf("the ceiling: %v", err)
	}
}

func TestAnErrorNamesTheFieldOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		params Params
		want   string
	}{
		{Params{}, "argon2_iterations must be at least 1"},
		{Params{19456, 0, 1}, "argon2_iterations must be at least 1"},
		{Params{19456, 11, 1}, "argon2_iterations must be at most 10"},
		{Params{19456, 2, 0}, "argon2_parallelism must be at least 1"},
		{Params{19456, 2, 5}, "argon2_parallelism must be at most 4"},
		{Params{262145, 2, 1}, "argon2_memory_kib must be at most 262144"},
		{Params{1<<32 - 1, 1, 1}, "argon2_memory_kib must be at most 262144"},
		{Params{0, 2, 1}, "argon2_memory_kib must be at least 19456 when argon2_iterations is 2"},
		{Params{19456, 1, 1}, "argon2_memory_kib must be at least 47104 when argon2_iterations is 1"},
	} {
		if err := c.params.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: got %v", c.params, err)
		}
	}
}

func TestWhatIsValidCanBeComputed(t *testing.T) {
	t.Parallel()
	for m := uint32(7000); m <= MaxMemoryKiB; m += 997 {
		for it := range uint32(MaxIterations + 2) {
			for p := range uint8(MaxParallelism + 2) {
				if ps := (Params{m, it, p}); ps.Validate() == nil && !ps.computable() {
					t.Fatalf("%v", ps)
				}
			}
		}
	}
}

func TestCostDoesNotOverflow(t *testing.T) {
	t.Parallel()
	if got := (Params{1<<32 - 1, 1<<32 - 1, 1}).Cost(); got != (1<<32-1)*(1<<32-1) {
		t.Errorf("got %d", got)
	}
}
