package paths

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
)

var roleName = fields{"role": {kind: word, help: "Name of the role."}}

var roleFields = fields{
	"description":          {kind: text, help: "What the keys of this role are for."},
	"prefix":               {kind: text, help: "Prefix of its keys, like acme_live; empty for the mount's default_prefix."},
	"ttl":                  {kind: duration, help: "Life of one version of a key; 0 for the mount's default."},
	"max_ttl":              {kind: duration, help: "Most that a version may live; 0 for the mount's maximum."},
	"generate_lease":       {kind: flag, help: "Answer issue and rotate with a lease. A leased key ends with the token that asked for it. Default true."},
	"grace_period":         {kind: duration, help: "How long the old version works after a rotation. Default 24h."},
	"max_grace_period":     {kind: duration, help: "Most that a rotation may ask for. Default 168h."},
	"rotation_period":      {kind: duration, help: "Age from which a version is due for rotation; 0 for never."},
	"idle_timeout":         {kind: duration, help: "A key that is not verified as valid for this long expires, for good; 0 for never."},
	"rate_limit":           {kind: count, help: "Verifications per rate_limit_period of each key; 0 for no limit."},
	"rate_limit_period":    {kind: duration, help: "Period of rate_limit. Default 1s."},
	"quota":                {kind: count, help: "Verifications of each key in all, or per quota_period; 0 for no limit."},
	"quota_period":         {kind: duration, help: "Length of a quota window, from the key's creation; 0 for the key's whole life."},
	"max_keys_per_owner":   {kind: count, help: "Live keys that one owner may have under this role, at most 1000; 0 for any number."},
	"max_delegation_depth": {kind: count, help: "How many generations of children a key may have, at most 8; 0 for no delegation."},
	"allowed_scopes":       {kind: list, help: "Scopes that a key may hold."},
	"default_scopes":       {kind: list, help: "Scopes that a key gets when issue names none."},
	"bound_cidrs":          {kind: list, help: "Networks that the keys may be used from; none for anywhere."},
	"metadata":             {kind: pairs, help: "Pairs that verify adds where the key has none of that name."},
	"owner_template":       {kind: text, help: "Identity template, like {{identity.entity.name}}, that the owner is rendered from; callers then cannot choose one. It can be changed but not taken away."},
	"require_owner":        {kind: flag, help: "Refuse to issue a key without an owner. Default false."},
	"require_scopes":       {kind: flag, help: "Refuse to decide about its keys where no scopes are named; [] or - says that none are needed. Default false."},
	"owner_may_widen":      {kind: list, help: "What the doors of an owner may widen on a key: scopes, bound_cidrs, limits, metadata. They may always narrow."},
	"disabled":             {kind: flag, help: "All its keys answer disabled until it is lifted. Default false."},
}

var roleAnswer = roleFields.with(fields{
	"key_pattern": {kind: word, help: "Regular expression that matches this role's keys, and those of its earlier prefixes while such keys live."},
})

func (sv *Services) rolesPath() *framework.Path {
	return sv.path("roles/?$", "List the roles.", "The names of all roles, in byte order.", nil,
		map[logical.Operation]operation{
			logical.ListOperation: {summary: "List the roles.", answers: names, handler: sv.listRoles},
		})
}

func (sv *Services) rolePath() *framework.Path {
	write := operation{summary: "Create or change a role; what is not sent stays.", takes: roleFields, answers: roleAnswer, handler: sv.writeRole, writes: true}
	p := sv.path("roles/(?P<role>[^/]+)", "What keys of this kind may be and do.",
		"A role is a living policy: a change of it takes effect on all its keys, at their next verification, rotation or renewal. Only the prefix, the default scopes and the owner are copied into a key when it is issued.",
		roleName, map[logical.Operation]operation{
			logical.ReadOperation:   {summary: "Read a role.", answers: roleAnswer, handler: sv.readRole},
			logical.CreateOperation: write,
			logical.UpdateOperation: write,
			logical.DeleteOperation: {summary: "Delete a role all of whose keys have ended.", handler: sv.deleteRole, writes: true},
		})
	p.ExistenceCheck = func(ctx context.Context, _ *logical.Request, captured *framework.FieldData) (bool, error) {
		name, _ := captured.Raw["role"].(string)
		if !record.ValidName(name) {
			return false, nil
		}
		role, err := sv.Store.Role(ctx, name)
		return role != nil, err
	}
	return p
}

func (sv *Services) listRoles(ctx context.Context, _ request) (*logical.Response, error) {
	names, err := sv.Store.Roles(ctx)
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(names), nil
}

func (sv *Services) readRole(ctx context.Context, r request) (*logical.Response, error) {
	if !record.ValidName(r.in.word("role")) {
		return nil, nil
	}
	role, err := sv.Store.Role(ctx, r.in.word("role"))
	if err != nil || role == nil {
		return nil, err
	}
	return sv.answerRole(ctx, *role)
}

func (sv *Services) writeRole(ctx context.Context, r request) (*logical.Response, error) {
	name := r.in.word("role")
	if err := record.CheckName("role", name); err != nil {
		return nil, err
	}
	role, err := sv.Store.UpdateRole(ctx, name, func(old *record.Role) (record.Role, error) {
		return changeRole(old, r.in)
	})
	if err != nil {
		return nil, err
	}
	var warnings []string
	if role.GenerateLease && role.TTL > record.LongLease {
		warnings = append(warnings, "leases of more than 30 days weigh on Vault for as long as they live: consider generate_lease=false")
	}
	return sv.answerRole(ctx, role, warnings...)
}

// changeRole is the role after the write; old is nil when it is made anew.
func changeRole(old *record.Role, in input) (record.Role, error) {
	role := record.DefaultRole()
	if old != nil {
		role = *old
	} else {
		role.UID = rand.Text()
	}
	networks, err := in.networks("bound_cidrs")
	if err != nil {
		return role, err
	}
	if networks != nil {
		role.BoundCIDRs = *networks
	}
	set(in, "description", &role.Description)
	set(in, "prefix", &role.Prefix)
	set(in, "ttl", &role.TTL)
	set(in, "max_ttl", &role.MaxTTL)
	set(in, "generate_lease", &role.GenerateLease)
	set(in, "grace_period", &role.GracePeriod)
	set(in, "max_grace_period", &role.MaxGracePeriod)
	set(in, "rotation_period", &role.RotationPeriod)
	set(in, "idle_timeout", &role.IdleTimeout)
	setLimits(in, &role.Limits)
	setCount(in, "max_keys_per_owner", &role.MaxKeysPerOwner)
	setCount(in, "max_delegation_depth", &role.MaxDelegationDepth)
	set(in, "allowed_scopes", &role.AllowedScopes)
	set(in, "default_scopes", &role.DefaultScopes)
	set(in, "metadata", &role.Metadata)
	set(in, "owner_template", &role.OwnerTemplate)
	set(in, "require_owner", &role.RequireOwner)
	set(in, "require_scopes", &role.RequireScopes)
	set(in, "owner_may_widen", &role.OwnerMayWiden)
	set(in, "disabled", &role.Disabled)
	if in.has("owner_template") {
		if err := checkTemplate(old, role.OwnerTemplate); err != nil {
			return role, err
		}
	}
	return role, role.Check(in.has)
}

// checkTemplate refuses what is no template. A template is a boundary between
// tenants, so an empty value, which may come from an unset variable, is accepted
// only where a role has none: what was read can be written back.
func checkTemplate(old *record.Role, template string) error {
	if template == "" && old != nil && old.OwnerTemplate == "" {
		return nil
	}
	if err := record.CheckText("owner_template", template, record.MaxDescription); err != nil {
		return err
	}
	templated, err := framework.ValidateIdentityTemplate(template)
	if err != nil || !templated {
		return record.Mistake("owner_template must be an identity template, like {{identity.entity.name}}")
	}
	return nil
}

func (sv *Services) deleteRole(ctx context.Context, r request) (*logical.Response, error) {
	name := r.in.word("role")
	if !record.ValidName(name) {
		return nil, nil
	}
	return nil, sv.Engine.DeleteRole(ctx, name)
}

func (sv *Services) answerRole(ctx context.Context, r record.Role, warnings ...string) (*logical.Response, error) {
	config, err := sv.Store.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("answer a role: %w", err)
	}
	return answer(map[string]any{
		"description":          r.Description,
		"prefix":               r.Prefix,
		"ttl":                  int64(r.TTL),
		"max_ttl":              int64(r.MaxTTL),
		"generate_lease":       r.GenerateLease,
		"grace_period":         int64(r.GracePeriod),
		"max_grace_period":     int64(r.MaxGracePeriod),
		"rotation_period":      int64(r.RotationPeriod),
		"idle_timeout":         int64(r.IdleTimeout),
		"rate_limit":           r.RateLimit,
		"rate_limit_period":    int64(r.RateLimitPeriod),
		"quota":                r.Quota,
		"quota_period":         int64(r.QuotaPeriod),
		"max_keys_per_owner":   r.MaxKeysPerOwner,
		"max_delegation_depth": r.MaxDelegationDepth,
		"allowed_scopes":       listOf(r.AllowedScopes),
		"default_scopes":       listOf(r.DefaultScopes),
		"bound_cidrs":          r.BoundCIDRs.Strings(),
		"metadata":             pairsOf(r.Metadata),
		"owner_template":       r.OwnerTemplate,
		"require_owner":        r.RequireOwner,
		"require_scopes":       r.RequireScopes,
		"owner_may_widen":      listOf(r.OwnerMayWiden),
		"disabled":             r.Disabled,
		"key_pattern":          apikey.Pattern(r.Prefixes.With(r.EffectivePrefix(config))...),
	}, warnings...), nil
}

// listOf is a list that is never null.
func listOf(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// pairsOf is a map that is never null.
func pairsOf(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
