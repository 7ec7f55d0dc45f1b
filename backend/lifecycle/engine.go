package lifecycle

import (
	"context"
	"io"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Clock tells the mount's time.
type Clock interface {
	Now() record.Time
	// Dated is the moment that was written down as t.
	Dated(t record.Time) record.Time
}

// Engine changes the keys of one mount. All fields are required.
type Engine struct {
	Store  *store.Store
	Prover verify.Prover // of keys that are to be rotated or to delegate
	// Revoker proves keys that are to be revoked. It waits for no crowd.
	Revoker verify.Prover
	// Refused is told of each text that is presented to it and is no key, or one that has
	// ended, before the answer leaves. Like a verify.Observer it does not block.
	Refused          func(*verify.Observation)
	lineage.Resolver // of what the state of a key depends on
	Hasher           *keyhash.Hasher
	Clock            Clock
	Random           io.Reader
	Logger           hclog.Logger
	// Caps are the mount's lease settings at the time of the call.
	Caps func() record.Caps
	// Gone is told of keys whose record was removed.
	Gone func(keyID string)
	// Notify tells Vault's event system what happened to a key. It is a call to
	// Vault, so it is made after the write, outside of its lock, and it says what
	// was answered, not what was written: a new version that is withdrawn, or a key
	// that is made anew, is not told. Who needs each write asks store.OnChange.
	Notify func(ctx context.Context, what Event, keyID string)
}

// Event names something that happened to a key.
type Event string

// The events. They carry a key id, a stop that of no key, and nothing else.
const (
	Issued     Event = "issue"
	Rotated    Event = "rotate"
	RolledBack Event = "rollback"
	Finished   Event = "finish"
	Updated    Event = "update"
	Ended      Event = "revoke"
	Deleted    Event = "delete"
	Stopped    Event = "stop"
)
