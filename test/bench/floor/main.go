// Command floor is a plugin that does nothing: an ordinary framework backend
// whose answers are constants with the fields of the engine's. What it costs is
// what Vault, the plugin protocol and the size of an answer cost.
package main

import (
	"context"
	"os"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

func main() {
	if plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: factory}) != nil {
		os.Exit(1)
	}
}

func factory(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	b := &framework.Backend{
		BackendType:    logical.TypeLogical,
		RunningVersion: "v0.0.1",
		Paths:          []*framework.Path{verifyPath(), authorizePath(), mintPath(), putPath()},
	}
	return b, b.Setup(ctx, config)
}
