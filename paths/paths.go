package paths

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Family are paths that belong together. Its constructor takes what they call.
type Family interface{ routes() []route }

// All are the paths of a mount. The order of the families matters for speed only:
// the first pattern that matches wins, and verify is what is asked all day.
func All(log hclog.Logger, families ...Family) (all []*framework.Path) {
	for _, f := range families {
		for _, r := range f.routes() {
			all = append(all, r.declare(log))
		}
	}
	return all
}

// Root are the paths that need sudo. A pattern matches exactly, or by a trailing
// asterisk; it knows no '+'.
func Root() []string {
	return []string{"config", "config/*", "stop/*", "tidy", "honeytokens/*", "alerts/*"}
}

// What more than one family reads.

// Clock tells the mount's time, and how long it takes to a moment of it.
type Clock interface {
	Now() record.Time
	Until(record.Time) time.Duration
}

// RoleReader finds a role.
type RoleReader interface {
	Role(ctx context.Context, name string) (record.Role, bool, error)
}

// Configuration is that of the mount.
type Configuration interface {
	Config(ctx context.Context) (record.Config, error)
}
