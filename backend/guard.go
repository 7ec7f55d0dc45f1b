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
	defer g.recovered(func() { resp, err = nil, paths.ErrInternal }, "a request", "operation", string(req.Operation))
	ctx, shielded := shield(ctx, req)
	return g.mount.HandleRequest(ctx, shielded)
}

// HandleExistenceCheck is called before each write, to tell create from update.
func (g *guard) HandleExistenceCheck(ctx context.Context, req *logical.Request) (checked, exists bool, err error) {
	defer g.recovered(func() { checked, exists, err = true, false, paths.ErrInternal }, "an existence check")
	ctx, shielded := shield(ctx, req)
	return g.mount.HandleExistenceCheck(ctx, shielded)
}

// Initialize, InvalidateKey and Cleanup are Vault's hooks.

func (g *guard) Initialize(ctx context.Context, req *logical.InitializationRequest) error {
	defer g.recovered(func() {}, "a hook", "hook", "initialize")
	return g.mount.Initialize(ctx, req)
}

func (g *guard) InvalidateKey(ctx context.Context, key string) {
	defer g.recovered(func() {}, "a hook", "hook", "invalidate")
	g.mount.InvalidateKey(ctx, key)
}

func (g *guard) Cleanup(ctx context.Context) {
	defer g.recovered(func() {}, "a hook", "hook", "clean")
	g.mount.Cleanup(ctx)
}

// recovered ends what panicked, and nothing else with it. It is deferred.
func (g *guard) recovered(then func(), what string, of ...any) {
	if recover() != nil {
		g.Logger().Error("a fault in the plugin ended "+what, of...)
		then()
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
