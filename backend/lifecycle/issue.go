package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// IssueRequest asks for a new key.
type IssueRequest struct {
	Role string
	Want record.Request
	By   record.Creator
	Asker
	// OwnerTemplate is the role's template that the owner was rendered from, ""
	// when it was chosen. A role that has another by now refuses.
	OwnerTemplate string
}

// ErrTemplateChanged is returned when a role's owner_template changed between a
// look at it and the key.
const ErrTemplateChanged record.Conflict = "the role's owner_template was changed at the same time; try again"

// ErrPrefixChanged is returned when a role's prefix changed while a key with the
// one before was minted. The key would carry a prefix that tidy may just have
// taken for one that no key carries.
const ErrPrefixChanged record.Conflict = "the role's prefix was changed at the same time; try again"

// Issue mints a key of a role. A key that it answered with verifies.
func (e *Engine) Issue(ctx context.Context, r IssueRequest) (Minted, error) {
	prefix := "" // until it is decided
	o := e.birth(ctx, r.Asker, func() (draft, error) {
		d, err := e.grant(ctx, r)
		if err == nil && prefix != "" && !d.role.Prefixes.Last(prefix) {
			err = ErrPrefixChanged
		}
		return d, err
	})
	o.ready = func(d draft) error {
		prefix = d.key.Prefix
		return e.Store.UsePrefix(ctx, r.Role, d.role, prefix)
	}
	return e.mint(ctx, o)
}

// grant is what the role, as it is now, lets the new key be.
func (e *Engine) grant(ctx context.Context, r IssueRequest) (draft, error) {
	config, err := e.Store.Config(ctx)
	if err != nil {
		return draft{}, err
	}
	role, found, err := e.Store.Role(ctx, r.Role)
	if err != nil {
		return draft{}, err
	}
	if !found {
		return draft{}, record.ErrRoleNotFound
	}
	if role.OwnerTemplate != r.OwnerTemplate {
		return draft{}, ErrTemplateChanged
	}
	if err := r.mayHold(role.GenerateLease); err != nil {
		return draft{}, err
	}
	key, err := record.Grant(r.Role, role, r.Want)
	key.Prefix, key.CreatedBy = role.EffectivePrefix(config), r.By
	return draft{key: key, role: role, number: 1, ttl: r.Want.TTL}, err
}
