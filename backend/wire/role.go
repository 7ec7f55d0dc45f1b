package wire

import (
	"encoding/json"
	"math"

	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

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

// ShowRole is what a gate is shown of a role.
func ShowRole(r *record.Role) *Role {
	w := &Role{
		UID: r.UID, Generation: r.Generation, AllowedScopes: list(r.AllowedScopes), BoundCIDRs: r.BoundCIDRs, Metadata: pairs(r.Metadata),
		RequireScopes: r.RequireScopes, IdleTimeout: r.IdleTimeout, RotationPeriod: r.RotationPeriod, GraceBrownout: r.GraceBrownout,
		Disabled: r.Disabled, Limits: r.Limits,
	}
	w.Fingerprint = fingerprint(w)
	return w
}

// ShowOwner is what a gate is shown of an owner.
func ShowOwner(o *record.Owner) *Owner {
	w := &Owner{Generation: o.Generation}
	w.Fingerprint = fingerprint(w)
	return w
}

// Record is the role by which a gate decides.
func (w *Role) Record() (record.Role, error) {
	r := record.Role{
		UID: w.UID, Stop: stopped(w.Generation), AllowedScopes: w.AllowedScopes, BoundCIDRs: w.BoundCIDRs, Metadata: w.Metadata,
		RequireScopes: w.RequireScopes, IdleTimeout: w.IdleTimeout, RotationPeriod: w.RotationPeriod, GraceBrownout: w.GraceBrownout,
		Disabled: w.Disabled, Limits: w.Limits,
	}
	if !r.Intact() {
		return r, errNoRecord
	}
	return r, nil
}

// Record is the owner by which a gate decides.
func (w *Owner) Record() record.Owner { return record.Owner{Stop: stopped(w.Generation)} }

// stopped is the mark of stops up to this generation. When and why they were is for
// people.
func stopped(generation uint64) record.Stop {
	if generation == 0 {
		return record.Stop{}
	}
	return record.Stop{Generation: generation, Halts: []record.Halt{{Generation: generation}}}
}

// UnmarshalJSON reads what is missing as the narrowest that it could have said.
func (w *Role) UnmarshalJSON(raw []byte) error {
	type fields Role
	read := fields{Generation: math.MaxUint64, BoundCIDRs: nowhere, RequireScopes: true, IdleTimeout: 1, GraceBrownout: true, Disabled: true, Limits: tightest}
	err := json.Unmarshal(raw, &read)
	*w = Role(read)
	return err
}

// UnmarshalJSON reads what is missing as the narrowest that it could have said.
func (w *Owner) UnmarshalJSON(raw []byte) error {
	type fields Owner
	read := fields{Generation: math.MaxUint64}
	err := json.Unmarshal(raw, &read)
	*w = Owner(read)
	return err
}

// nowhere are networks from which nobody asks.
var nowhere, _ = network.Parse([]string{"::/128"})

// tightest are limits of a single verification.
var tightest = record.Limits{RateLimit: 1, RateLimitPeriod: record.MaxSeconds, Quota: 1}

// list is a list that is never null.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// pairs is a map that is never null.
func pairs(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
