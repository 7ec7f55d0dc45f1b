// Command vault-plugin-secrets-apikeys is the API keys secrets engine. Vault
// starts it; run by hand it only tells its version.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/plugin"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/version"
)

func main() {
	tell := flag.Bool("version", false, "print the version and exit")
	flag.Parse()
	if *tell {
		fmt.Println(version.Number(), version.Commit())
		return
	}
	// One for the process: it serves every mount, and they share its memory.
	hasher := keyhash.NewHasher(runtime.GOMAXPROCS(0))
	err := plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: backend.Factory(hasher)})
	if err != nil {
		hclog.New(&hclog.LoggerOptions{}).Error("the plugin ended", "error", err)
		os.Exit(1)
	}
}
