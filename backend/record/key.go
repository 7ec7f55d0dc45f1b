package record

import (
	"encoding/json"
	"maps"
	"slices"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/network"
)

// Key is one API key through all its versions: its policy, its state, and a
// hash for each version, never the key itself.
type Key struct {
	ID      string `json:"id"`
	Prefix  string `json:"prefix"`
	Role    string `json:"role"`
	RoleUID string `json:"role_uid"` // the role it was issued under, not another of its name
	// The generations that it was issued under, and keeps through rotations.
	RoleGeneration  uint64            `json:"role_generation"`
	OwnerGeneration uint64            `json:"owner_generation"`
	Owner           string            `json:"owner"`
	StaticName      string            `json:"static_name,omitempty"` // under which it was declared; "" for none
	Parent          string            `json:"parent"`                // id of the key that it was delegated from; "" for none
	Depth           int               `json:"depth"`                 // number of its ancestors
	Name            string            `json:"name"`
	Metadata        map[string]string `json:"metadata"`
	Scopes          []string          `json:"scopes"`
	BoundCIDRs      network.List      `json:"bound_cidrs"`
	Limits
	TTL          Seconds   `json:"ttl"` // the lifetime that was asked for; 0 if none was
	Disabled     bool      `json:"disabled"`
	CreatedAt    Time      `json:"created_at"`
	CreatedBy    Creator   `json:"created_by"`
	RevokedAt    Time      `json:"revoked_at"`
	RevokeReason string    `json:"revoke_reason"`
	OrphanedAt   Time      `json:"orphaned_at"`           // when tidy found that an ancestor had ended
	AheadSince   Time      `json:"ahead_since,omitempty"` // when tidy first found it dated ahead of the clock; 0 if it is not
	SealedFrom   int       `json:"sealed_from,omitempty"` // the version from which on none is answered in clear; 0 for none
	Withdrawn    int       `json:"withdrawn,omitempty"`   // the highest number of a version that was withdrawn; 0 for none
	Versions     []Version `json:"versions"`              // newest first; never empty

	DisabledByOwner bool   `json:"disabled_by_owner"` // by an owner's path and not by the operator's as well
	DisabledAt      Time   `json:"disabled_at"`
	DisabledReason  string `json:"disabled_reason"`
}

// Creator says which Vault token asked for a key.
type Creator struct {
	DisplayName string `json:"display_name"`
	EntityID    string `json:"entity_id"`
}

// Version is one secret of a key.
type Version struct {
	Number       int         `json:"number"`
	Hash         keyhash.PHC `json:"hash"` // none once it was forgotten
	CreatedAt    Time        `json:"created_at"`
	ExpiresAt    Time        `json:"expires_at"`
	Until        Time        `json:"until"`         // the latest to which renewals can move ExpiresAt; what the hints say
	Lifetime     Seconds     `json:"lifetime"`      // granted when it was made; what a renewal without an increment asks for
	SupersededAt Time        `json:"superseded_at"` // 0 for what was not replaced
	ValidUntil   Time        `json:"valid_until"`   // the end of its grace; 0 for what was not replaced
	Leased       bool        `json:"leased"`
	Holder       string      `json:"holder"`               // fingerprint of the token that holds the lease; "" without one
	Cut          bool        `json:"cut,omitempty"`        // its lease goes no further than its grace, whatever becomes of that
	Recipients   []string    `json:"recipients,omitempty"` // whom it is sealed to, and its successor where that names nobody else; none if it was answered in clear
	// Of a rotation that waits for the first use of what it made.
	PendingUntil Time    `json:"pending_until,omitempty"` // when it takes effect unused; 0 where it took effect at once
	ActivatedAt  Time    `json:"activated_at,omitempty"`  // when it took effect; 0 while it waits
	Grace        Seconds `json:"grace,omitempty"`         // that the version before has from then on
	CancelledAt  Time    `json:"cancelled_at,omitempty"`
	CancelReason string  `json:"cancel_reason,omitempty"`
	// Request is Vault's id of the request that made the version. Only the highest
	// has it: no other can be made again.
	Request string `json:"request,omitempty"`
}

// storedVersion is a version as it is stored: the one place where a hash is
// written out.
type storedVersion struct {
	Number int    `json:"number"`
	Hash   string `json:"hash"` // PHC form
	fields
}

// fields are those of a version; its hash is hidden by storedVersion's.
type fields Version

// MarshalJSON is for storage.
func (v Version) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedVersion{v.Number, v.Hash.Reveal(), fields(v)})
}

// UnmarshalJSON reads what was stored.
func (v *Version) UnmarshalJSON(raw []byte) error {
	var s storedVersion
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	*v = Version(s.fields)
	v.Number, v.Hash = s.Number, keyhash.Stored(s.Hash)
	return nil
}

// Intact tells whether k has the parts that every stored key has.
func (k Key) Intact() bool {
	return k.ID != "" && k.Role != "" && k.RoleUID != "" && len(k.Versions) > 0 && k.Limits.intact()
}

// MadeBy tells whether this request made the highest version. Then Vault runs it
// again, because the plugin died under it, and nobody has seen that version's text:
// it is made again in its place, and counts once. One that was cancelled meanwhile
// stays so, and the request makes another.
func (k *Key) MadeBy(request string) bool {
	return request != "" && k.Highest().Request == request && k.Highest().CancelledAt == 0
}

// NumberFor is the number of the version that this request makes. No number is
// given out twice.
func (k *Key) NumberFor(request string) int {
	if k.MadeBy(request) {
		return k.Highest().Number
	}
	return max(k.Highest().Number, k.Withdrawn) + 1
}

// foundBy are the versions that this request found when it came.
func (k *Key) foundBy(request string) []Version {
	if k.MadeBy(request) {
		return k.Versions[1:]
	}
	return k.Versions
}

// HighestFor is the number of the highest version when this request came; 0 for
// none.
func (k *Key) HighestFor(request string) int {
	if found := k.foundBy(request); len(found) > 0 {
		return found[0].Number
	}
	return 0
}

// Carries tells whether who holds this version may hand on the key's power: make
// the next version, or a child. The current version and one that waits do; one that
// was replaced only works for a while.
func (k *Key) Carries(number int, request string) bool {
	if p := k.Pending(); p != nil && p.Number == number && !k.MadeBy(request) {
		return true
	}
	c := current(k.foundBy(request))
	return c != nil && c.Number == number
}

// Find is the version of this number, or nil when there is none or it was
// forgotten.
func (k *Key) Find(number int) *Version {
	for i := range k.Versions {
		if k.Versions[i].Number == number {
			return &k.Versions[i]
		}
	}
	return nil
}

// Clone is a copy whose fields may be changed.
func (k Key) Clone() Key {
	k.Metadata = maps.Clone(k.Metadata)
	k.Scopes = slices.Clone(k.Scopes)
	k.Versions = slices.Clone(k.Versions)
	return k
}

// IssuedUnder is the role of the key's role name, if the key was issued under it.
// Another role of that name says nothing about the key: nil.
func (k *Key) IssuedUnder(named *Role) *Role {
	if named == nil || named.UID != k.RoleUID {
		return nil
	}
	return named
}

// RotateBy is the time from which a version is due under the role, or 0 when the
// role asks for no rotation, and for a key that has ended: what cannot be rotated
// is not due.
func (k *Key) RotateBy(v *Version, s Standing, now Time) Time {
	if k.Ended(s, now) || s.Role.RotationPeriod == 0 {
		return 0
	}
	return v.CreatedAt.Add(s.Role.RotationPeriod)
}

// RotationDue tells whether whoever holds this version should fetch another one:
// the current one is due, or another waits for its first use. Who holds that has it.
func (k *Key) RotationDue(v *Version, s Standing, now Time) bool {
	of := k.Current()
	switch {
	case v.Waits():
		of = v
	case v.Number == of.Number && k.Pending() != nil && !k.Ended(s, now):
		return true
	}
	due := k.RotateBy(of, s, now)
	return due != 0 && now >= due
}
