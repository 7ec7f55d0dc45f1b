package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/paths"
)

// guard stands before the framework on every way into a mount.
//
// It keeps what the caller sent from the framework, whose errors and logs would
// show values that it cannot convert; and it recovers panics, because one
// process serves every mount and a panic would end them all. What was panicked
// with may hold a secret and is not logged.
type guard struct {
	*mount
}

// HandleRequest is called for every request to the mount.
func (g *guard) HandleRequest(ctx context.Context, req *logical.Request) (resp *logical.Response, err error) {
	defer func() {
		if recover() != nil {
			g.Logger().Error("a fault in the plugin ended a request", "operation", string(req.Operation))
			resp, err = nil, paths.ErrInternal
		}
	}()
	ctx, shielded := shield(ctx, req)
	return g.mount.HandleRequest(ctx, shielded)
}

// HandleExistenceCheck is called before each write, to tell create from update.
func (g *guard) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checked, exists bool, err error) {
	defer func() {
		if recover() != nil {
			g.Logger().Error("a fault in the plugin ended an existence check")
			checked, exists, err = true, false, paths.ErrInternal
		}
	}()
	ctx, shielded := shield(ctx, req)
	return g.mount.HandleExistenceCheck(ctx, shielded)
}

// Initialize, InvalidateKey and Cleanup are Vault's hooks.

func (g *guard) Initialize(ctx context.Context, req *logical.InitializationRequest) error {
	defer g.recoverHook("initialize")
	return g.mount.Initialize(ctx, req)
}

func (g *guard) InvalidateKey(ctx context.Context, key string) {
	defer g.recoverHook("invalidate")
	g.mount.InvalidateKey(ctx, key)
}

func (g *guard) Cleanup(ctx context.Context) {
	defer g.recoverHook("clean")
	g.mount.Cleanup(ctx)
}

func (g *guard) recoverHook(name string) {
	if recover() != nil {
		g.Logger().Error("a fault in the plugin ended a hook", "hook", name)
	}
}

// shield is the request without the caller's data, which go to the handlers
// around the framework. A request for the mount's help, the OpenAPI document,
// carries data of Vault's own.
func shield(ctx context.Context, req *logical.Request) (context.Context, *logical.Request) {
	if req.Operation == logical.HelpOperation && req.Path == "" {
		return ctx, req
	}
	shielded := *req
	shielded.Data = nil
	return paths.WithBody(ctx, req.Data), &shielded
}
