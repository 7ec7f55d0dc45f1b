package wire

import (
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

// MaxNames bounds what one Ask names in all.
const MaxNames = 1000

// Ask asks which keys these texts are, and for records.
type Ask struct {
	Keys   []string `json:"keys,omitempty"` // texts
	KeyIDs []string `json:"key_ids,omitempty"`
	Roles  []string `json:"roles,omitempty"`
	Owners []string `json:"owners,omitempty"`
}

// Told is the answer: whatever was asked for, and all ancestors of each key. A name that
// stands for nothing, or for nothing that the asker may see, is there with nil.
type Told struct {
	Results []Result          `json:"results"` // of the texts, in order
	Records map[string]*Key   `json:"records"` // by key_id
	Roles   map[string]*Role  `json:"roles"`
	Owners  map[string]*Owner `json:"owners"`
	Cursor  string            `json:"cursor"` // no later than what the answer was made of
	Now     int64             `json:"now"`    // the engine's clock, milliseconds since 1970
}

// Result is what a text is: a version of a key, or CodeInvalid, or not known for now.
type Result struct {
	KeyID   string `json:"key_id,omitempty"`
	Version int    `json:"version,omitempty"`
	Code    string `json:"code,omitempty"`
	Error   string `json:"error,omitempty"`
	Status  int    `json:"http_status,omitempty"` // of Error
}

// CodeInvalid is the code of a text that is no key here.
const CodeInvalid = "invalid"

// Key is all of a key's record that a verdict is made of. It has no hash, no holder of
// a lease, no creator, no reason.
type Key struct {
	Role            string            `json:"role"`
	RoleUID         string            `json:"role_uid"`
	RoleGeneration  uint64            `json:"role_generation"`
	Owner           string            `json:"owner"`
	OwnerGeneration uint64            `json:"owner_generation"`
	Parent          string            `json:"parent_key_id"`
	Name            string            `json:"name"`
	Metadata        map[string]string `json:"metadata"`
	Scopes          []string          `json:"scopes"`
	BoundCIDRs      network.List      `json:"bound_cidrs"`
	record.Limits
	Disabled   bool        `json:"disabled"`
	CreatedAt  record.Time `json:"created_at"`
	RevokedAt  record.Time `json:"revoked_at"`
	OrphanedAt record.Time `json:"orphaned_at"`
	Versions   []Version   `json:"versions"` // newest first; those that are forgotten are left out
	// ActiveAt is from when on an idle_timeout counts: the last use that the engine knows
	// of, with what a crash may have lost; 0 where none applies. It is no part of the
	// fingerprint.
	ActiveAt record.Time `json:"last_used_at,omitempty"`
	// IdleEnded tells that somebody was told that the key ended by idleness.
	IdleEnded   bool   `json:"idle_ended,omitempty"`
	Fingerprint string `json:"fingerprint"`
}

// Version is one secret of a key.
type Version struct {
	Number       int            `json:"version"`
	CreatedAt    record.Time    `json:"created_at"`
	ExpiresAt    record.Time    `json:"expires_at"`
	SupersededAt record.Time    `json:"superseded_at,omitempty"`
	ValidUntil   record.Time    `json:"valid_until,omitempty"`
	PendingUntil record.Time    `json:"pending_until,omitempty"`
	ActivatedAt  record.Time    `json:"activated_at,omitempty"`
	Grace        record.Seconds `json:"grace,omitempty"`
	CancelledAt  record.Time    `json:"cancelled_at,omitempty"`
	Cut          bool           `json:"cut,omitempty"`
	// Kept tells that its hash is kept, so that its text can be proven. The current
	// version is shown in any case: its end is the key's.
	Kept bool `json:"kept"`
}

// Role is all of a role's record that a verdict is made of.
type Role struct {
	UID            string            `json:"uid"`
	Generation     uint64            `json:"generation"`
	AllowedScopes  []string          `json:"allowed_scopes"`
	BoundCIDRs     network.List      `json:"bound_cidrs"`
	Metadata       map[string]string `json:"metadata"`
	RequireScopes  bool              `json:"require_scopes"`
	IdleTimeout    record.Seconds    `json:"idle_timeout"`
	RotationPeriod record.Seconds    `json:"rotation_period"`
	GraceBrownout  bool              `json:"grace_brownout"`
	Disabled       bool              `json:"disabled"`
	record.Limits
	Fingerprint string `json:"fingerprint"`
}

// Owner is all of an owner's record that a verdict is made of.
type Owner struct {
	Generation  uint64 `json:"generation"`
	Fingerprint string `json:"fingerprint"`
}

// Known is how many records one Confirm names at most, each by its id and fingerprint.
const MaxKnown = 4096

// Lengths of what a confirmation is made of.
const (
	IDLength          = 16
	FingerprintLength = 12 // of base64url: 9 bytes of SHA-256 over what is shown
)

// Confirm asks which of these records are not what the asker thinks.
type Confirm struct {
	Known string `json:"known"` // up to MaxKnown times id and fingerprint, with nothing between
}

// Confirmed is the answer.
type Confirmed struct {
	Changed []string `json:"changed"` // ids
	Cursor  string   `json:"cursor"`  // no later than what was looked at
	Now     int64    `json:"now"`
}
