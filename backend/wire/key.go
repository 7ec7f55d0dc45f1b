package wire

import (
	"encoding/json"
	"errors"
	"slices"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

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
	// What follows was seen by the engine, and is no part of the fingerprint.

	// ActiveAt is from when on the role's idle_timeout, as it was then, counts: the last
	// use that the engine knows of, with what a crash may have lost; 0 where none applies.
	// Under another idle_timeout a crash may have lost more or less.
	ActiveAt    record.Time `json:"last_used_at,omitempty"`
	IdleEnded   bool        `json:"idle_ended,omitempty"` // somebody was told that it ended by idleness
	Expired     bool        `json:"expired,omitempty"`    // its current version was seen to expire, whatever a clock says since
	Fingerprint string      `json:"fingerprint"`
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
	// Kept tells that its hash is kept, so that its text can be proven. The current
	// version is shown in any case: its end is the key's.
	Kept bool `json:"kept"`
	Over bool `json:"over,omitempty"` // its grace was seen to be over, whatever a clock says since
}

// ShowKey is what a gate is shown of a key: now, as a Resolver settles it, under this
// standing. stored is the record that this was made of.
func ShowKey(stored, now *record.Key, s record.Standing) *Key {
	w := shape(now)
	w.Fingerprint = Fingerprint(stored)
	w.IdleEnded, w.Expired = s.Seen.Idle, s.Seen.Expired
	if s.IdleEnd != 0 && !s.Seen.Idle {
		w.ActiveAt = s.IdleEnd.Add(-s.Role.IdleTimeout)
	}
	for i := range w.Versions {
		w.Versions[i].Over = slices.Contains(s.Seen.Superseded, w.Versions[i].Number)
	}
	return w
}

// shape is what the record alone says.
func shape(k *record.Key) *Key {
	w := &Key{
		Role: k.Role, RoleUID: k.RoleUID, RoleGeneration: k.RoleGeneration, Owner: k.Owner, OwnerGeneration: k.OwnerGeneration,
		Parent: k.Parent, Name: k.Name, Metadata: pairs(k.Metadata), Scopes: list(k.Scopes), BoundCIDRs: k.BoundCIDRs, Limits: k.Limits,
		Disabled: k.Disabled, CreatedAt: k.CreatedAt, RevokedAt: k.RevokedAt, OrphanedAt: k.OrphanedAt,
		Versions: make([]Version, 0, len(k.Versions)),
	}
	current := k.Current()
	for i := range k.Versions {
		v := &k.Versions[i]
		if v.Hash.None() && v != current {
			continue
		}
		w.Versions = append(w.Versions, Version{
			Number: v.Number, CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt, SupersededAt: v.SupersededAt, ValidUntil: v.ValidUntil,
			PendingUntil: v.PendingUntil, ActivatedAt: v.ActivatedAt, Grace: v.Grace, CancelledAt: v.CancelledAt, Kept: !v.Hash.None(),
		})
	}
	return w
}

// errNoRecord is returned for what cannot have been made of a record.
var errNoRecord = errors.New("what was told is no record")

// Record is the record by which a gate decides, as it was at a moment of the engine's:
// what was seen to end by then has ended in it. It has no hash, but where one is kept.
func (w *Key) Record(id string, at record.Time) (record.Key, error) {
	k := record.Key{
		ID: id, Role: w.Role, RoleUID: w.RoleUID, RoleGeneration: w.RoleGeneration, Owner: w.Owner, OwnerGeneration: w.OwnerGeneration,
		Parent: w.Parent, Name: w.Name, Metadata: w.Metadata, Scopes: w.Scopes, BoundCIDRs: w.BoundCIDRs, Limits: w.Limits,
		Disabled: w.Disabled, CreatedAt: w.CreatedAt, RevokedAt: w.RevokedAt, OrphanedAt: w.OrphanedAt,
	}
	var over []int
	for i, v := range w.Versions {
		if v.Number < 1 || i > 0 && v.Number >= w.Versions[i-1].Number {
			return k, errNoRecord
		}
		if v.Over {
			over = append(over, v.Number)
		}
		k.Versions = append(k.Versions, v.record())
	}
	named := apikey.ValidID(id) && (w.Parent == "" || apikey.ValidID(w.Parent)) && (w.Owner == "" || record.ValidName(w.Owner))
	if !named || !k.Intact() || k.Current() == nil {
		return k, errNoRecord
	}
	if w.IdleEnded || w.Expired {
		_ = k.Expire(at) // where it has ended before, nothing is left to say
	}
	k.EndGraces(over, at)
	return k, nil
}

func (v *Version) record() record.Version {
	r := record.Version{
		Number: v.Number, CreatedAt: v.CreatedAt, ExpiresAt: v.ExpiresAt, SupersededAt: v.SupersededAt, ValidUntil: v.ValidUntil,
		PendingUntil: v.PendingUntil, ActivatedAt: v.ActivatedAt, Grace: v.Grace, CancelledAt: v.CancelledAt,
	}
	if v.Kept {
		r.Hash = keyhash.Elsewhere()
	}
	return r
}

// missing is nobody's name, and no key's id.
const missing = "?"

// UnmarshalJSON reads what is missing as the narrowest that it could have said: what got
// lost on the way must not read as no restriction.
func (w *Key) UnmarshalJSON(raw []byte) error {
	type fields Key
	read := fields{Owner: missing, Parent: missing, Disabled: true, RevokedAt: 1, OrphanedAt: 1, BoundCIDRs: nowhere, Limits: tightest}
	err := json.Unmarshal(raw, &read)
	*w = Key(read)
	return err
}
