package backend

import (
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// PathsOf are the declarations of a mount, for the tests that hold its answers
// against them.
func PathsOf(b logical.Backend) []*framework.Path { return b.(*guard).Paths }

// RouteOf is the declaration that a request path leads to, nil if none.
func RouteOf(b logical.Backend, path string) *framework.Path { return b.(*guard).Route(path) }
