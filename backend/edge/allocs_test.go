//go:build !race

package edge

import "testing"

// The race detector allocates, too, so this is not held under it. One is the walk, the
// others are the verifier's own.
func TestAWarmDecisionAllocatesLittle(t *testing.T) {
	m, q := warm(t)
	if got := testing.AllocsPerRun(200, func() { decide(t, m, q) }); got > 4 {
		t.Errorf("it allocates %.1f times", got)
	}
}
