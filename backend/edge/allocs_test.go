//go:build !race

package edge

import "testing"

// The race detector allocates, too, so this is not held under it. One is the walk, the
// others are the verifier's own and those of reading the text.
func TestAWarmDecisionAllocatesLittle(t *testing.T) {
	m, q := warm(t)
	if got := testing.AllocsPerRun(200, func() { decide(t, m, q) }); got > 5 {
		t.Errorf("it allocates %.1f times", got)
	}
}
