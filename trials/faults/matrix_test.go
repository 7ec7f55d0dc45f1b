// Package faults tries a mount on storage that fails and in processes that die: an operation has happened or has not,
// and what Vault runs again happens once.
package faults

import (
	"testing"

	"vault-plugin-secrets-apikeys/trials/matrix"
	"vault-plugin-secrets-apikeys/trials/world"
)

func TestEachStorageCallFailsOnce(t *testing.T) {
	w := world.Build(t)
	matrix.Run(t, w, world.Trials())
	matrix.Run(t, w, world.WatchTrials())
	matrix.Run(t, w, world.GateTrials())
}
