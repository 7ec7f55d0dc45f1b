package paths

import "testing"

// canary stands for a key that was sent in the wrong place.
const canary = "vak_CANARY7"

func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int64]bool{0: false, 1: true, 1000: true, 1001: false} {
		got, err := input{"limit": n}.number("limit", 1, 1000)
		if (err == nil) != ok || ok && got != n {
			t.Errorf("%d: %d, %v", n, got, err)
		}
	}
}
