package record

import (
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/scope"
)

// Request is what a caller may ask of a new key. A nil pointer is 'not given',
// an empty list is 'none'.
type Request struct {
	Owner      string
	Name       string
	Metadata   map[string]string
	Scopes     *[]string
	BoundCIDRs *network.List
	TTL        Seconds // 0 is 'not given'
	Limits     LimitsChange
	Recipients *[]string // of its first version
}

// LimitsChange is what a caller asks of a key's limits. A nil pointer is 'not
// given'.
type LimitsChange struct {
	RateLimit       *int64
	RateLimitPeriod *Seconds
	Quota           *int64
	QuotaPeriod     *Seconds
}

// Grant is what the role lets the new key be, without an id, times or versions.
// Whatever it refuses is the caller's mistake, but for a disabled role.
func Grant(name string, role Role, want Request) (Key, error) {
	if role.Disabled {
		return Key{}, ErrRoleDisabled
	}
	if want.Owner == "" && role.RequireOwner {
		return Key{}, Mistake("the role requires an owner")
	}
	if want.Owner != "" {
		if err := CheckName("owner", want.Owner); err != nil {
			return Key{}, err
		}
	}
	k := Key{
		Role:    name,
		RoleUID: role.UID,
		Owner:   want.Owner,
		TTL:     want.TTL,
		Limits:  DefaultLimits(),

		RoleGeneration: role.Generation,
		// A role's defaults may have been left behind by a narrower
		// allowed_scopes; what is still allowed is granted.
		Scopes: scope.Intersect(role.DefaultScopes, role.AllowedScopes),
	}
	// Periods that are not named are the role's, where it sets limits.
	if role.RateLimit > 0 {
		k.RateLimitPeriod = role.RateLimitPeriod
	}
	if role.Quota > 0 {
		k.QuotaPeriod = role.QuotaPeriod
	}
	change := Change{
		Name:       &want.Name,
		Metadata:   &want.Metadata,
		Scopes:     want.Scopes,
		BoundCIDRs: want.BoundCIDRs,
		Limits:     want.Limits,
	}
	if err := change.Apply(&k, role); err != nil {
		return Key{}, err
	}
	return k, nil
}

// Change is what an update may change of a key. A nil pointer keeps the value.
type Change struct {
	Name       *string
	Metadata   *map[string]string
	Scopes     *[]string
	BoundCIDRs *network.List
	Limits     LimitsChange
	TTL        *Seconds  // of what later rotations make
	Recipients *[]string // of what later rotations make
	Disabling  Disabling
}

// Apply changes k within its role, or refuses and leaves it unusable for
// writing. Disabling depends on who asks and when, and has an Apply of its own.
func (c Change) Apply(k *Key, role Role) error {
	if c.Name != nil {
		if err := CheckText("name", *c.Name, MaxLabel); err != nil {
			return err
		}
		k.Name = *c.Name
	}
	if c.Metadata != nil {
		if err := CheckMetadata(*c.Metadata); err != nil {
			return err
		}
		k.Metadata = *c.Metadata
	}
	if c.Scopes != nil {
		if err := CheckScopes("scopes", *c.Scopes); err != nil {
			return err
		}
		if !scope.Within(*c.Scopes, role.AllowedScopes) {
			return Mistake("scopes must lie within the role's allowed_scopes")
		}
		k.Scopes = *c.Scopes
	}
	if c.BoundCIDRs != nil {
		// No networks of its own leave a key under the role's, which verify
		// holds it to in any case.
		if !c.BoundCIDRs.Empty() && !c.BoundCIDRs.Within(role.BoundCIDRs) {
			return Mistake("bound_cidrs must lie within the role's")
		}
		k.BoundCIDRs = *c.BoundCIDRs
	}
	if c.Metadata != nil || c.Scopes != nil || c.BoundCIDRs != nil {
		if err := checkPolicy(k.Metadata, k.BoundCIDRs, k.Scopes); err != nil {
			return err
		}
	}
	assign(&k.TTL, c.TTL)
	if c.Recipients != nil {
		recipients, err := role.Recipients(k, c.Recipients)
		if err != nil {
			return err
		}
		k.SealTo(recipients)
	}
	return c.Limits.apply(k, role)
}

// apply changes the limits. What was spent stays spent: it is counted elsewhere.
func (c LimitsChange) apply(k *Key, role Role) error {
	if c == (LimitsChange{}) {
		return nil
	}
	assign(&k.RateLimit, c.RateLimit)
	assign(&k.RateLimitPeriod, c.RateLimitPeriod)
	assign(&k.Quota, c.Quota)
	assign(&k.QuotaPeriod, c.QuotaPeriod)
	if err := k.Limits.Check(); err != nil {
		return err
	}
	return k.Limits.Within(role.Limits)
}

func assign[V any](to *V, value *V) {
	if value != nil {
		*to = *value
	}
}
