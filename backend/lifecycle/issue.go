package lifecycle

import (
	"context"
	"fmt"

	"vault-plugin-secrets-apikeys/backend/apikey"
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

// ErrRoleNotFound is returned when a key is asked of a role that does not exist.
var ErrRoleNotFound = fmt.Errorf("role %w", record.ErrNotFound)

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
	if err := e.usePrefix(ctx, r.Role, role, prefix); err != nil {
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

	defer e.Store.HoldRole(r.Role)()
	role, key, err := e.grant(ctx, r)
	if err != nil {
		return Minted{}, err
	}
	if !role.Prefixes.Last(prefix) {
		return Minted{}, ErrPrefixChanged
	}
	release, err := e.admit(ctx, &key, role)
	if err != nil {
		return Minted{}, err
	}
	defer release()
	key.CreatedBy = r.By
	return e.create(ctx, key, role, text, phc, term{ttl: r.Want.TTL, caps: caps, asker: r.Asker})
}

// create stores a granted key with its first version. The caller holds the role
// and the owner.
func (e *Engine) create(ctx context.Context, key record.Key, role record.Role, text apikey.Key, phc string, t term) (Minted, error) {
	now := e.Clock.Now()
	first, warnings, err := version(1, phc, role, t, now)
	if err != nil {
		return Minted{}, err
	}
	key.ID, key.Prefix, key.CreatedAt = text.ID, text.Prefix, now
	key.CreatedBy = key.CreatedBy.Bounded()
	key.Versions = []record.Version{first}
	if err := e.Store.CreateKey(ctx, key); err != nil {
		return Minted{}, err
	}
	return Minted{Text: text, Key: key, Role: role, Standing: bornUnder(&key, &role), MaxTTL: role.MaxLifetime(t.caps), Warnings: warnings}, nil
}

// admit holds the owner of a new key, who must have room for it, and writes the
// owner's generation into it. The caller holds the role.
func (e *Engine) admit(ctx context.Context, key *record.Key, role record.Role) (release func(), err error) {
	known, err := e.Store.HasOwner(ctx, key.Owner)
	if err != nil {
		return nil, err
	}
	release = e.Store.HoldOwner(key.Owner, !known || role.MaxKeysPerOwner > 0)
	admitted := false
	defer func() {
		if !admitted { // also after a panic, which the mount survives: a stop must not wait for ever
			release()
		}
	}()
	err = e.admitHeld(ctx, key, role)
	admitted = err == nil
	return release, err
}

func (e *Engine) admitHeld(ctx context.Context, key *record.Key, role record.Role) error {
	if key.Owner == "" {
		return nil
	}
	owner, err := e.Store.Owner(ctx, key.Owner)
	if err != nil {
		return err
	}
	key.OwnerGeneration = owner.Generation
	if role.MaxKeysPerOwner == 0 {
		return nil
	}
	n, err := e.Store.CountKeys(ctx, key.Owner, key.Role, role.MaxKeysPerOwner, e.Clock.Now(), e.ended(ctx))
	if err == nil && n >= role.MaxKeysPerOwner {
		err = record.ErrOwnerFull
	}
	return err
}

// grant is what the role, as it is now, lets the new key be.
func (e *Engine) grant(ctx context.Context, r IssueRequest) (record.Role, record.Key, error) {
	role, err := e.Store.Role(ctx, r.Role)
	if err != nil {
		return record.Role{}, record.Key{}, err
	}
	if role == nil {
		return record.Role{}, record.Key{}, ErrRoleNotFound
	}
	if role.OwnerTemplate != r.OwnerTemplate {
		return record.Role{}, record.Key{}, ErrTemplateChanged
	}
	if err := r.mayHold(role.GenerateLease); err != nil {
		return *role, record.Key{}, err
	}
	key, err := record.Grant(r.Role, *role, r.Want)
	return *role, key, err
}

// bornUnder is the standing of a key that was made within its role, owner and
// parent a moment ago.
func bornUnder(key *record.Key, role *record.Role) record.Standing {
	return record.Standing{
		Role:            role,
		Owner:           record.Owner{Stop: record.Stop{Generation: key.OwnerGeneration}},
		AncestorsActive: true,
	}
}
