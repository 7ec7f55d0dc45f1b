//go:build !race

package verify_test

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// The race detector allocates, too, so this is not held under it. There is no room
// for an observation on the heap, nor for an allocation for each scope or ancestor. One
// is the copy of the id that was read: see apikey.
func TestAWarmVerifyAllocatesLittle(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(t testing.TB) (*verify.Verifier, verify.Request, *counting)
		most float64
	}{
		"of a key":           {warm, 3},
		"of a delegated key": {grown, 21},
	} {
		v, r, _ := tc.make(t)
		r.Cost = 1
		decide(t, v, r)
		if got := testing.AllocsPerRun(200, func() { decide(t, v, r) }); got > tc.most {
			t.Errorf("%s it allocates %.1f times, at most %.0f", name, got, tc.most)
		}
	}
}
