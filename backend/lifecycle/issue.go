package lifecycle

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// IssueRequest asks for a new key.
type IssueRequest struct {
	Role string
	Want record.Request
	// StaticName is the name that is to lead to the key; "" for none.
	StaticName string
	Disabling  record.Disabling // of a key that is declared as disabled
	By         record.Creator
	Asker
	// Render is what a role's owner_template says of whoever asks.
	Render func(template string) (owner string, err error)
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
	if err := record.CheckName("role", r.Role); err != nil {
		return Minted{}, err
	}
	role, _, err := e.Store.Role(ctx, r.Role)
	if err != nil {
		return Minted{}, err
	}
	if r.Want.Owner, err = r.owner(role.OwnerTemplate); err != nil {
		return Minted{}, err
	}
	prefix := "" // until it is decided
	o := e.birth(ctx, r.Asker, func() (draft, error) {
		d, err := e.grant(ctx, r)
		switch {
		case err != nil:
		case d.role.OwnerTemplate != role.OwnerTemplate:
			err = ErrTemplateChanged
		case prefix != "" && !d.role.Prefixes.Last(prefix):
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

// owner is whose key it is to be: what the role's template says of whoever asks,
// else whom they name.
func (r *IssueRequest) owner(template string) (string, error) {
	if template == "" {
		return r.Want.Owner, nil
	}
	if r.Want.Owner != "" {
		return "", record.Mistake("the role's owner_template sets the owner; it cannot be chosen")
	}
	owner, err := r.Render(template)
	if err != nil {
		// Most often a token without an entity. The cause may name entities.
		return "", record.Mistake("the role's owner_template cannot be rendered for this token's identity")
	}
	if !record.ValidName(owner) {
		return "", record.Mistake("the role's owner_template renders to no valid owner name for this token's identity")
	}
	return owner, nil
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
	key, err := record.Grant(r.Role, role, r.Want)
	if err == nil {
		err = r.Disabling.Apply(&key, false, e.Clock.Now())
	}
	key.Prefix, key.StaticName, key.CreatedBy = role.EffectivePrefix(config), r.StaticName, r.By
	return draft{key: key, role: role, number: 1, ttl: r.Want.TTL, named: r.Want.Recipients}, err
}
