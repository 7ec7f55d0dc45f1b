// Package limits holds the engine to what bounds its keys in a real Vault server: the order of refusals, rates and
// quotas, delegation, stops, idleness, and the answers in which gateways meet them.
//
// Tests share one server and keep apart by mounts. What kills or restarts has a server of its own.
package limits

import (
	"os"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

var servers harness.Pool

func TestMain(m *testing.M) { os.Exit(servers.Run(m, harness.Options{Plugin: true})) }
