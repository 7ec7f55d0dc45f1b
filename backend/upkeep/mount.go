package upkeep

import (
	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// Clock tells the mount's time, and how far it can be relied on.
type Clock interface {
	Now() record.Time
	// Settled tells whether what ended this long ago may be removed for good.
	Settled(ago record.Seconds) bool
	// Dated is the moment that was written down as t.
	Dated(t record.Time) record.Time
	// TakenBack counts how often the time went back.
	TakenBack() int
}

// Mount is what is kept up. All fields are required.
type Mount struct {
	Store    *store.Store
	Resolver lineage.Resolver // of what the state of a key depends on
	Clock    Clock
	Logger   hclog.Logger
	// Writable tells whether this node may write.
	Writable func() bool
	// Gone is told of keys whose record was removed.
	Gone func(keyID string)
	// Noted is told of keys of which something is known that their record does not say yet.
	Noted func(keyID string)
	// Redated is told that stored last uses were moved to when they were.
	Redated func()
}
