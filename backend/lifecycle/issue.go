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
	m, err := e.issue(ctx, r)
	return e.told(ctx, Issued, m, err)
}

func (e *Engine) issue(ctx context.Context, r IssueRequest) (Minted, error) {
	config, err := e.Store.Config(ctx)
	if err != nil {
		return Minted{}, err
	}
	role, _, err := e.grant(ctx, r)
	if err != nil {
		return Minted{}, err
	}
	id, again, err := e.newID(ctx, r.Asker)
	if err != nil {
		return Minted{}, err
	}
	if again {
		return e.rotate(ctx, Target{ID: id}, 0, RotateRequest{TTL: r.Want.TTL, Asker: r.Asker})
	}
	prefix := role.EffectivePrefix(config)
	if err := e.Store.UsePrefix(ctx, r.Role, role, prefix); err != nil {
		return Minted{}, err
	}
	text, phc, err := e.mint(ctx, prefix, id, 1)
	if err != nil {
		return Minted{}, err
	}
	if role.GenerateLease {
		awaitFreshSecond(ctx)
	}
	caps := e.Caps()

	return e.place(ctx, text, phc, term{ttl: r.Want.TTL, caps: caps, asker: r.Asker}, func() (born, error) {
		role, key, err := e.grant(ctx, r)
		if err == nil && !role.Prefixes.Last(prefix) {
			err = ErrPrefixChanged
		}
		key.CreatedBy = r.By
		return born{key: key, role: role}, err
	})
}

// grant is what the role, as it is now, lets the new key be.
func (e *Engine) grant(ctx context.Context, r IssueRequest) (record.Role, record.Key, error) {
	role, found, err := e.Store.Role(ctx, r.Role)
	if err != nil {
		return record.Role{}, record.Key{}, err
	}
	if !found {
		return record.Role{}, record.Key{}, record.ErrRoleNotFound
	}
	if role.OwnerTemplate != r.OwnerTemplate {
		return record.Role{}, record.Key{}, ErrTemplateChanged
	}
	if err := r.mayHold(role.GenerateLease); err != nil {
		return role, record.Key{}, err
	}
	key, err := record.Grant(r.Role, role, r.Want)
	return role, key, err
}
