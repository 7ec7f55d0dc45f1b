package record

import (
	"cmp"
	"fmt"
	"maps"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/scope"
)

// Role is a living policy: most of it is looked up whenever one of its keys is
// verified, rotated or renewed, and only Prefix, DefaultScopes and the owner are
// copied into a key when it is issued.
type Role struct {
	UID            string            `json:"uid"` // random; a deleted role's keys do not follow its name
	Description    string            `json:"description"`
	Prefix         string            `json:"prefix"` // "" means the mount's default_prefix
	TTL            Seconds           `json:"ttl"`
	MaxTTL         Seconds           `json:"max_ttl"`
	GenerateLease  bool              `json:"generate_lease"`
	GracePeriod    Seconds           `json:"grace_period"`
	MaxGracePeriod Seconds           `json:"max_grace_period"`
	Activation     string            `json:"activation"` // of rotations that do not say
	RotationPeriod Seconds           `json:"rotation_period"`
	IdleTimeout    Seconds           `json:"idle_timeout"`
	AllowedScopes  []string          `json:"allowed_scopes"`
	DefaultScopes  []string          `json:"default_scopes"`
	BoundCIDRs     network.List      `json:"bound_cidrs"`
	Metadata       map[string]string `json:"metadata"`
	OwnerTemplate  string            `json:"owner_template"`
	RequireOwner   bool              `json:"require_owner"`
	RequireScopes  bool              `json:"require_scopes"`
	OwnerMayWiden  []string          `json:"owner_may_widen"`

	RequireRecipients bool     `json:"require_recipients"`
	AllowedRecipients []string `json:"allowed_recipients"` // none for any

	Disabled bool `json:"disabled"`

	MaxPendingPeriod Seconds `json:"max_pending_period"`
	GraceBrownout    bool    `json:"grace_brownout"`

	MaxKeysPerOwner    int `json:"max_keys_per_owner"`   // 0 for any
	Counts             int `json:"counts"`               // how often a limit was set where there was none
	MaxDelegationDepth int `json:"max_delegation_depth"` // 0 for no delegation
	Limits
	Stop

	Prefixes Prefixes `json:"prefixes"`
}

// DefaultRole is a role of which nothing was written yet.
func DefaultRole() Role {
	return Role{
		GenerateLease:  true,
		GracePeriod:    24 * 3600,
		MaxGracePeriod: 7 * 24 * 3600,
		Activation:     Immediate,
		Limits:         DefaultLimits(),

		MaxPendingPeriod: 7 * 24 * 3600,
	}
}

// LongLease is the lease length above which a role's write warns: each lease
// costs the active node memory and start-up time for as long as it lives.
const LongLease Seconds = 30 * 24 * 3600

// Intact tells whether r has the parts that every stored role has.
func (r Role) Intact() bool { return r.UID != "" && r.Limits.intact() && r.Stop.intact() }

// Count names the count of each owner's keys that the role's limit began.
func (r Role) Count() string { return fmt.Sprintf("%s-%d", r.UID, r.Counts) }

// ErrNoTemplate is returned for an owner_template that is none.
const ErrNoTemplate Mistake = "owner_template must be an identity template, like {{identity.entity.name}}"

// ErrActivation is returned for an activation that there is not.
const ErrActivation Mistake = "activation must be immediate or first_use"

// MaxPending is the longest max_pending_period: a version that nobody used in 90
// days is lost.
const MaxPending Seconds = 90 * 24 * 3600

// Check refuses a role that contradicts itself. wrote names the fields of this
// write: narrowing allowed_scopes alone must always work, so default_scopes are
// held against it only when they are written themselves.
func (r Role) Check(wrote func(field string) bool) error {
	if r.Prefix != "" {
		if err := CheckPrefix("prefix", r.Prefix); err != nil {
			return err
		}
	}
	if r.TTL > 0 && r.MaxTTL > 0 && r.TTL > r.MaxTTL {
		return Mistake("ttl exceeds max_ttl")
	}
	if r.GracePeriod > r.MaxGracePeriod {
		return Mistake("grace_period exceeds max_grace_period")
	}
	if r.Activation != Immediate && r.Activation != FirstUse {
		return ErrActivation
	}
	if r.MaxPendingPeriod < 1 || r.MaxPendingPeriod > MaxPending {
		return Mistake("max_pending_period must be from one second to 90 days")
	}
	err := cmp.Or(
		CheckText("description", r.Description, MaxDescription),
		CheckText("owner_template", r.OwnerTemplate, MaxDescription),
		CheckMetadata(r.Metadata),
		CheckScopes("allowed_scopes", r.AllowedScopes),
		CheckScopes("default_scopes", r.DefaultScopes),
		checkWidenings(r.OwnerMayWiden),
		checkRecipients("allowed_recipients", r.AllowedRecipients, maxAllowedRecipients),
		checkPolicy(r.Metadata, r.BoundCIDRs, r.AllowedScopes, r.DefaultScopes),
		r.Limits.Check(),
	)
	if err != nil {
		return err
	}
	if r.MaxKeysPerOwner > MaxKeysPerOwner {
		return Mistakef("max_keys_per_owner is above %d", MaxKeysPerOwner)
	}
	if r.MaxDelegationDepth > MaxDelegationDepth {
		return Mistakef("max_delegation_depth is above %d", MaxDelegationDepth)
	}
	if wrote("default_scopes") && !scope.Within(r.DefaultScopes, r.AllowedScopes) {
		return Mistake("default_scopes must lie within allowed_scopes")
	}
	return nil
}

// Bounds of a role's numbers. Each verify of a delegated key looks at all its
// ancestors, so their number is kept small.
const (
	MaxKeysPerOwner    = 1000
	MaxDelegationDepth = 8
)

// maxScopes bounds a list of scopes, so that a verify stays cheap.
const maxScopes = 128

// CheckScopes refuses a list with a scope outside the grammar, or with a key, whose
// characters are those of a scope.
func CheckScopes(field string, scopes []string) error {
	if len(scopes) > maxScopes {
		return Mistakef("%s has more than %d entries", field, maxScopes)
	}
	for i, s := range scopes {
		if err := scope.Validate(s); err != nil {
			return Mistakef("%s: entry %d: %v", field, i+1, err)
		}
		if err := checkNoKey(field, s); err != nil {
			return err
		}
	}
	return nil
}

// MergeMetadata is what verify shows: the key's pairs, and the role's where the
// key has none of that name. It allocates only when both have some.
func (r Role) MergeMetadata(own map[string]string) map[string]string {
	if len(r.Metadata) == 0 {
		return own
	}
	if len(own) == 0 {
		return r.Metadata
	}
	merged := maps.Clone(r.Metadata)
	maps.Copy(merged, own)
	return merged
}

// EffectivePrefix is the prefix of the keys that the role issues now.
func (r Role) EffectivePrefix(c Config) string {
	if r.Prefix != "" {
		return r.Prefix
	}
	return c.DefaultPrefix
}
