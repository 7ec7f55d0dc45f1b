// Package e2e holds the engine to its contract in a real Vault server, through the plugin's own process and the
// real command line.
//
// Tests share one server and keep apart by mounts. What ends or seals a server has one of its own.
package e2e

import (
	"os"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

var servers harness.Pool

func TestMain(m *testing.M) { os.Exit(servers.Run(m, harness.Options{Plugin: true})) }
