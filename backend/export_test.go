package backend

import (
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// FactoryUnder makes mounts that take a wrong wall clock for the wall clock: one
// that goes by the machine's, and wrong ahead of it.
func FactoryUnder(hasher *keyhash.Hasher, wrong func() time.Duration) logical.Factory {
	return factory(hasher, func(told func(clock.Change)) *clock.Clock {
		born := time.Now()
		return clock.From(func() (time.Time, time.Duration) {
			now := time.Now()
			return now.Add(wrong()), now.Sub(born)
		}, told)
	})
}

// PathsOf are the declarations of a mount, for the tests that hold its answers
// against them.
func PathsOf(b logical.Backend) []*framework.Path { return b.(*guard).Paths }

// RouteOf is the declaration that a request path leads to, nil if none.
func RouteOf(b logical.Backend, path string) *framework.Path { return b.(*guard).Route(path) }
