// Package limits tries what limits promise, whatever fails and whatever becomes of a limit.
package limits

import (
	"testing"

	"vault-plugin-secrets-apikeys/trials/matrix"
	"vault-plugin-secrets-apikeys/trials/world"
)

// TestEachStorageCallOfLimitsFailsOnce is the matrix for limits, delegation and
// stops.
func TestEachStorageCallOfLimitsFailsOnce(t *testing.T) {
	matrix.Run(t, world.BuildLimited(t), world.LimitTrials())
}
