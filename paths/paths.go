package paths

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Clock tells the mount's time, and how long it takes to a moment of it.
type Clock interface {
	Now() record.Time
	Until(record.Time) time.Duration
}

// Services is what the handlers call. All fields are required.
type Services struct {
	Store    *store.Store
	Verifier *verify.Verifier
	Engine   *lifecycle.Engine
	Tidier   *upkeep.Tidier
	Uses     *usage.Tracker
	Meter    *limit.Meter
	Clock    Clock
	Logger   hclog.Logger
	System   func() logical.SystemView
	// Configured is called with each new configuration.
	Configured func(record.Config)
	Version    string
	Commit     string

	answering atomic.Int64 // bytes of the batches that are being answered
}

// All are the paths of a mount. The order matters for speed only: the first
// pattern that matches wins, and verify is what is asked all day.
func All(sv *Services) []*framework.Path {
	return []*framework.Path{
		sv.verifyPath(),
		sv.verifyRolePath(),
		sv.authorizePath(),
		sv.authorizeRolePath(),
		sv.issuePath(),
		sv.issueRolePath(),
		sv.rotatePath(),
		sv.rotateIDPath(),
		sv.revokePath(),
		sv.revokeIDPath(),
		sv.delegatePath(),
		sv.keysPath(),
		sv.keyPath(),
		sv.ownersPath(),
		sv.ownerKeysPath(),
		sv.ownerKeyPath(),
		sv.ownerRotatePath(),
		sv.ownerRevokePath(),
		sv.rolesPath(),
		sv.rolePath(),
		sv.configPath(),
		sv.stopOwnerPath(),
		sv.stopRolePath(),
		sv.tidyPath(),
		sv.tidyStatusPath(),
		sv.infoPath(),
	}
}

// Root are the paths that need sudo. A pattern matches exactly, or by a trailing
// asterisk; it knows no '+'.
func Root() []string { return []string{"config", "config/*", "stop/*", "tidy"} }
