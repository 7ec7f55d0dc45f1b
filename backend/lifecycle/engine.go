package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Prover finds out whether a text is a key of this mount.
type Prover interface {
	Prove(ctx context.Context, text apikey.Presented, role string) (verify.Proven, bool, error)
}

// Clock tells the mount's time.
type Clock interface {
	Now() record.Time
	// Dated is the moment that was written down as t.
	Dated(t record.Time) record.Time
}

// Engine changes the keys of one mount. All fields are required.
type Engine struct {
	Store  *store.Store
	Prover Prover // of keys that are to be rotated or to delegate
	// Revoker proves keys that are to be revoked. It waits for no crowd.
	Revoker Prover
	// Resolver finds what the state of a key depends on.
	Resolver lineage.Resolver
	Hasher   *keyhash.Hasher
	Clock    Clock
	Random   io.Reader
	Logger   hclog.Logger
	// Caps are the mount's lease settings at the time of the call.
	Caps func() record.Caps
	// Gone is told of keys whose record was removed.
	Gone func(keyID string)
	// Notify tells Vault's event system what happened to a key.
	Notify func(ctx context.Context, what Event, keyID string)
}

// Event names something that happened to a key.
type Event string

// The events. They carry a key id, a stop that of no key, and nothing else.
const (
	Issued  Event = "issue"
	Rotated Event = "rotate"
	Updated Event = "update"
	Ended   Event = "revoke"
	Deleted Event = "delete"
	Stopped Event = "stop"
)

// Minted is the answer to issue and rotate.
type Minted struct {
	Text     apikey.Key // the key itself: shown once, here
	Key      record.Key
	Role     record.Role
	Standing record.Standing // what the key's state depends on
	Previous *record.Version // the version that a rotation replaced
	MaxTTL   record.Seconds  // of the lease, when the version is leased
	Warnings []string
}

// mint makes the text and the hash of one version. It holds no lock: a hash
// takes long.
func (e *Engine) mint(ctx context.Context, prefix, id string, version int) (apikey.Key, keyhash.PHC, error) {
	tagKey, err := e.Store.TagKey(ctx)
	if err != nil {
		return apikey.Key{}, keyhash.PHC{}, err
	}
	config, err := e.Store.Config(ctx)
	if err != nil {
		return apikey.Key{}, keyhash.PHC{}, err
	}
	text, err := apikey.Generate(e.Random, tagKey, prefix, id, version)
	if err != nil {
		return apikey.Key{}, keyhash.PHC{}, fmt.Errorf("generate a key: %w", err)
	}
	if version == 1 {
		phc, err := e.Hasher.Sum(ctx, e.Random, config.Argon2(), text.HashInput())
		return text, phc, err
	}
	// A burst of new keys must not refuse the rotation of one that is in use.
	phc, err := e.Hasher.Changes().Sum(ctx, id, e.Random, config.Argon2(), text.HashInput())
	return text, phc, err
}

// term is how long a new version is to live, and who asked for it.
type term struct {
	ttl   record.Seconds // 0 is 'not given'
	caps  record.Caps
	asker Asker
	// parentEnds is when the parent's version ends, for a delegated key: it
	// lives no longer, and is never leased, because whoever asked for it says
	// nothing about who holds it. 0 for all other keys.
	parentEnds record.Time
}

// version describes a new version under the role as it is now.
//
// A lifetime of nothing is refused before anything is written: a version that is
// born dead would end the key that it replaces. Vault's settings read as 0 when
// they cannot be asked for.
func version(number int, phc keyhash.PHC, role record.Role, t term, now record.Time) (v record.Version, warnings []string, err error) {
	lifetime, capped := role.Lifetime(t.ttl, t.caps)
	if t.parentEnds != 0 && lifetime > t.parentEnds.Sub(now) {
		lifetime = t.parentEnds.Sub(now)
		capped = capped || t.ttl > lifetime
	}
	if lifetime < 1 {
		return v, nil, errNoLifetime
	}
	v = record.Version{
		Number:    number,
		Hash:      phc,
		CreatedAt: now,
		ExpiresAt: now.Add(lifetime),
		Until:     now.Add(lifetime),
		Lifetime:  lifetime,
		Leased:    role.GenerateLease && t.parentEnds == 0,
		Request:   t.asker.Request,
	}
	if v.Leased {
		v.Until = now.Add(role.MaxLifetime(t.caps))
		v.Holder = t.asker.Holder
	}
	if capped {
		warnings = append(warnings, fmt.Sprintf("the ttl was shortened to %d seconds, the most that the role, the mount and, for a delegated key, its parent allow", lifetime))
	}
	return v, warnings, nil
}

// errNoLifetime is returned where a new version could not live for a second.
var errNoLifetime = errors.New("the lifetime of a new version is zero: the mount's lease settings cannot be read, or its parent has just ended")

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
