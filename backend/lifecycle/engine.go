package lifecycle

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Prover finds out whether a text is a key of this mount.
type Prover interface {
	Prove(ctx context.Context, text, role string) (verify.Proven, bool, error)
}

// Engine changes the keys of one mount. All fields are required.
type Engine struct {
	Store  *store.Store
	Prover Prover
	Hasher *keyhash.Hasher
	Clock  verify.Clock
	Random io.Reader
	Logger hclog.Logger
	// Caps are the mount's lease settings at the time of the call.
	Caps func() record.Caps
	// Notify tells Vault's event system what happened to a key.
	Notify func(ctx context.Context, what Event, keyID string)
}

// Event names something that happened to a key.
type Event string

// The events. They carry a key id and nothing else.
const (
	Issued  Event = "issue"
	Rotated Event = "rotate"
	Updated Event = "update"
	Ended   Event = "revoke"
	Deleted Event = "delete"
)

// Minted is the answer to issue and rotate.
type Minted struct {
	Text     apikey.Key // the key itself: shown once, here
	Key      record.Key
	Role     record.Role
	Previous *record.Version // the version that a rotation replaced
	MaxTTL   record.Seconds  // of the lease, when the version is leased
	Warnings []string
}

// mint makes the text and the hash of one version. It holds no lock: a hash
// takes long.
func (e *Engine) mint(ctx context.Context, prefix, id string, version int) (apikey.Key, string, error) {
	tagKey, err := e.Store.TagKey(ctx)
	if err != nil {
		return apikey.Key{}, "", err
	}
	config, err := e.Store.Config(ctx)
	if err != nil {
		return apikey.Key{}, "", err
	}
	text, err := apikey.Generate(e.Random, tagKey, prefix, id, version)
	if err != nil {
		return apikey.Key{}, "", fmt.Errorf("generate a key: %w", err)
	}
	phc, err := e.Hasher.Sum(ctx, e.Random, config.Argon2(), text.HashInput())
	return text, phc, err
}

// version describes a new version under the role as it is now. holder is the
// fingerprint of the token that asked.
func version(number int, phc string, role record.Role, ttl record.Seconds, caps record.Caps, holder string, now record.Time) (v record.Version, warnings []string) {
	lifetime, capped := role.Lifetime(ttl, caps)
	v = record.Version{
		Number:    number,
		Hash:      phc,
		CreatedAt: now,
		ExpiresAt: now.Add(lifetime),
		Until:     now.Add(lifetime),
		Lifetime:  lifetime,
		Leased:    role.GenerateLease,
	}
	if role.GenerateLease {
		v.Until = now.Add(role.MaxLifetime(caps))
		v.Holder = holder
	}
	if capped {
		warnings = append(warnings, fmt.Sprintf("the ttl was shortened to %d seconds, the most that the role and the mount allow", lifetime))
	}
	return v, warnings
}

// lateInSecond is how late in a second a leased version is not dated any more.
const lateInSecond = 900 * time.Millisecond

// awaitFreshSecond waits, for a tenth of a second at most, until the present
// second is young. Records count whole seconds, rounded down, while Vault dates
// a lease with the moment at which it gets our answer: dated at the end of a
// second, the two would end more than a second apart.
func awaitFreshSecond(ctx context.Context) {
	late := time.Duration(time.Now().Nanosecond())
	if late < lateInSecond {
		return
	}
	select {
	case <-time.After(time.Second - late):
	case <-ctx.Done():
	}
}
