// Command plugin is the engine as cmd builds it, and serves its profiles on a
// socket beside its program. For `make profile`; nobody ships it.
package main

import (
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"

	"github.com/hashicorp/vault/sdk/plugin"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
)

func main() {
	if program, err := os.Executable(); err == nil {
		// Vault also starts it to ask for its version; the last one has the socket.
		os.Remove(program + ".pprof")
		if socket, err := net.Listen("unix", program+".pprof"); err == nil {
			socket.(*net.UnixListener).SetUnlinkOnClose(false)
			go http.Serve(socket, nil)
		}
	}
	hasher := keyhash.NewHasher(runtime.GOMAXPROCS(0))
	if plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: backend.Factory(hasher)}) != nil {
		os.Exit(1)
	}
}
