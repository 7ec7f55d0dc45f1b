package backend

import (
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// PathsOf are the declarations of a mount.
func PathsOf(b logical.Backend) []*framework.Path { return b.(*guard).Paths }
