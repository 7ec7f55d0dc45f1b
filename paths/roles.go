package paths

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
)

// roleRows are the fields of a role. What is not sent stays.
var roleRows = rows[record.Role]{
	at("description", text, "What the keys of this role are for.", func(r *record.Role) *string { return &r.Description }),
	at("prefix", text, "Prefix of its keys, like acme_live; empty for the mount's default_prefix.", func(r *record.Role) *string { return &r.Prefix }),
	at("ttl", duration, "Life of one version of a key; 0 for the mount's default.", func(r *record.Role) *record.Seconds { return &r.TTL }),
	at("max_ttl", duration, "Most that a version may live; 0 for the mount's maximum.", func(r *record.Role) *record.Seconds { return &r.MaxTTL }),
	at("generate_lease", flag, "Answer issue and rotate with a lease. A leased key ends with the token that asked for it. Default true.", func(r *record.Role) *bool { return &r.GenerateLease }),
	at("grace_period", duration, "How long the old version works after a rotation. Default 24h.", func(r *record.Role) *record.Seconds { return &r.GracePeriod }),
	at("activation", text, "When a rotation takes effect that does not say: immediate, or first_use, at the first use of the new version. Default immediate.", func(r *record.Role) *string { return &r.Activation }),
	at("max_pending_period", duration, "Longest that a new version may wait for its first use, at most 90 days. Default 168h.", func(r *record.Role) *record.Seconds { return &r.MaxPendingPeriod }),
	at("grace_brownout", flag, "Refuse an old version for some minutes of each hour, late in its grace. Default false.", func(r *record.Role) *bool { return &r.GraceBrownout }),
	at("max_grace_period", duration, "Most that a rotation may ask for. Default 168h.", func(r *record.Role) *record.Seconds { return &r.MaxGracePeriod }),
	at("rotation_period", duration, "Age from which a version is due for rotation; 0 for never.", func(r *record.Role) *record.Seconds { return &r.RotationPeriod }),
	at("idle_timeout", duration, "A key that is not verified as valid for this long expires, for good; 0 for never.", func(r *record.Role) *record.Seconds { return &r.IdleTimeout }),
	at("rate_limit", count, "Verifications per rate_limit_period of each key; 0 for no limit.", func(r *record.Role) *int64 { return &r.RateLimit }),
	at("rate_limit_period", duration, "Period of rate_limit. Default 1s.", func(r *record.Role) *record.Seconds { return &r.RateLimitPeriod }),
	at("quota", count, "Verifications of each key in all, or per quota_period; 0 for no limit.", func(r *record.Role) *int64 { return &r.Quota }),
	at("quota_period", duration, "Length of a quota window, from the key's creation; 0 for the key's whole life.", func(r *record.Role) *record.Seconds { return &r.QuotaPeriod }),
	small("max_keys_per_owner", "Live keys that one owner may have under this role, at most 1000; 0 for any number.", func(r *record.Role) *int { return &r.MaxKeysPerOwner }),
	small("max_delegation_depth", "How many generations of children a key may have, at most 8; 0 for no delegation.", func(r *record.Role) *int { return &r.MaxDelegationDepth }),
	at("allowed_scopes", list, "Scopes that a key may hold.", func(r *record.Role) *[]string { return &r.AllowedScopes }),
	at("default_scopes", list, "Scopes that a key gets when issue names none.", func(r *record.Role) *[]string { return &r.DefaultScopes }),
	networks("bound_cidrs", "Networks that the keys may be used from; none for anywhere.", func(r *record.Role, l *network.List) { r.BoundCIDRs = *l }, func(r *record.Role) any { return shown(r.BoundCIDRs) }),
	at("metadata", pairs, "Pairs that verify adds where the key has none of that name.", func(r *record.Role) *map[string]string { return &r.Metadata }),
	at("owner_template", text, "Identity template, like {{identity.entity.name}}, that the owner is rendered from; callers then cannot choose one. It can be changed but not taken away.", func(r *record.Role) *string { return &r.OwnerTemplate }),
	at("require_owner", flag, "Refuse to issue a key without an owner. Default false.", func(r *record.Role) *bool { return &r.RequireOwner }),
	at("require_scopes", flag, "Refuse to decide about its keys where no scopes are named; [] or - says that none are needed. Default false.", func(r *record.Role) *bool { return &r.RequireScopes }),
	at("owner_may_widen", list, "What the paths of an owner may widen on a key: scopes, bound_cidrs, limits, metadata. They may always narrow.", func(r *record.Role) *[]string { return &r.OwnerMayWiden }),
	at("require_recipients", flag, "Refuse to mint a key in clear. Default false.", func(r *record.Role) *bool { return &r.RequireRecipients }),
	at("allowed_recipients", list, "Age recipients, at most 32, that keys may be sealed to; none for any.", func(r *record.Role) *[]string { return &r.AllowedRecipients }),
	at("disabled", flag, "All its keys answer disabled until it is lifted. Default false.", func(r *record.Role) *bool { return &r.Disabled }),
}

var roleAnswer = roleRows.fields().with(fields{
	"key_pattern": {kind: word, help: "Regular expression that matches this role's keys, and those of its earlier prefixes while such keys live."},
})

// RoleStore holds the roles.
type RoleStore interface {
	RoleReader
	Roles(ctx context.Context) ([]string, error)
}

// RoleWriter changes roles.
type RoleWriter interface {
	WriteRole(ctx context.Context, name string, wrote func(field string) bool, apply func(*record.Role) error) (record.Role, error)
	DeleteRole(ctx context.Context, name string) error
}

// Roles is what keys may be and do.
type Roles struct {
	Store  RoleStore
	Writer RoleWriter
	Config Configuration
}

func (rs Roles) routes() []route {
	write := operation{summary: "Create or change a role; what is not sent stays.", takes: roleRows.fields(), answers: roleAnswer, handler: rs.write, writes: true, exists: rs.exists}
	return []route{
		{"roles/?$", "List the roles.", "The names of all roles, in byte order.", nil, operations{
			logical.ListOperation: {summary: "List the roles.", answers: names, handler: rs.list},
		}},
		{"roles/(?P<role>[^/]+)", "What keys of this kind may be and do.",
			"A role is a living policy: a change of it takes effect on all its keys, at their next verification, rotation or renewal. Only the prefix, the default scopes and the owner are copied into a key when it is issued.",
			roleName, operations{
				logical.ReadOperation:   {summary: "Read a role.", answers: roleAnswer, handler: rs.read},
				logical.CreateOperation: write,
				logical.UpdateOperation: write,
				logical.DeleteOperation: {summary: "Delete a role all of whose keys have ended.", handler: rs.delete, writes: true},
			}},
	}
}

// find is the role that the path names.
func (rs Roles) find(ctx context.Context, in input) (record.Role, bool, error) {
	if name := in.word("role"); record.ValidName(name) {
		return rs.Store.Role(ctx, name)
	}
	return record.Role{}, false, nil
}

func (rs Roles) exists(ctx context.Context, in input) (bool, error) {
	_, found, err := rs.find(ctx, in)
	return found, err
}

func (rs Roles) list(ctx context.Context, _ request) (*logical.Response, error) {
	return listed(rs.Store.Roles(ctx))
}

func (rs Roles) read(ctx context.Context, r request) (*logical.Response, error) {
	role, found, err := rs.find(ctx, r.in)
	if err != nil || !found {
		return nil, err
	}
	return rs.answer(ctx, role)
}

func (rs Roles) write(ctx context.Context, r request) (*logical.Response, error) {
	role, err := rs.Writer.WriteRole(ctx, r.in.word("role"), r.in.has, func(role *record.Role) error {
		if err := roleRows.take(r.in, role); err != nil {
			return err
		}
		return checkTemplate(role.OwnerTemplate)
	})
	if err != nil {
		return nil, err
	}
	var warnings []string
	if role.GenerateLease && role.TTL > record.LongLease {
		warnings = append(warnings, "leases of more than 30 days weigh on Vault for as long as they live: consider generate_lease=false")
	}
	return rs.answer(ctx, role, warnings...)
}

// checkTemplate refuses text that is no template. Whether there must be one is not
// for it to say.
func checkTemplate(template string) error {
	if template == "" {
		return nil
	}
	if templated, err := framework.ValidateIdentityTemplate(template); err != nil || !templated {
		return record.ErrNoTemplate
	}
	return nil
}

func (rs Roles) delete(ctx context.Context, r request) (*logical.Response, error) {
	return nil, rs.Writer.DeleteRole(ctx, r.in.word("role"))
}

func (rs Roles) answer(ctx context.Context, r record.Role, warnings ...string) (*logical.Response, error) {
	config, err := rs.Config.Config(ctx)
	if err != nil {
		return nil, fmt.Errorf("answer a role: %w", err)
	}
	data := roleRows.show(&r)
	data["key_pattern"] = apikey.Pattern(r.Prefixes.With(r.EffectivePrefix(config))...)
	return answer(data, warnings...), nil
}
