package lifecycle

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// ErrPrefixChanged is returned when a role's prefix changed while a key with the
// one before was minted. The key would carry a prefix that tidy may just have
// taken for one that no key carries.
const ErrPrefixChanged record.Conflict = "the role's prefix was changed at the same time; try again"

// usePrefix has the role remember a prefix before a key carries it. role is what
// the caller saw of it.
func (e *Engine) usePrefix(ctx context.Context, name string, role record.Role, prefix string) error {
	if role.Prefixes.Last(prefix) {
		return nil
	}
	return e.changePrefixes(ctx, name, role.UID, func(p *record.Prefixes) error {
		if p.Last(prefix) {
			return record.ErrUnchanged
		}
		return p.Use(prefix)
	})
}

func (e *Engine) changePrefixes(ctx context.Context, name, uid string, change func(*record.Prefixes) error) error {
	_, err := e.Store.UpdateRole(ctx, name, func(old *record.Role) (record.Role, error) {
		if old == nil || old.UID != uid {
			return record.Role{}, record.ErrRoleNotFound
		}
		role := *old
		return role, change(&role.Prefixes)
	})
	if errors.Is(err, record.ErrUnchanged) {
		return nil
	}
	return err
}

// carriers finds out in one walk over all keys which earlier prefixes of their
// roles no live key carries any more.
type carriers map[string]*carrier

// carrier is a role with earlier prefixes, by its uid.
type carrier struct {
	name    string
	turns   uint64
	carried map[string]bool
}

// carriersNow are the roles that have earlier prefixes. From here on no key of
// such a prefix is issued, unless the role is changed back, which Turns tells:
// today's prefix is the last one also where no key was issued with it yet.
func (e *Engine) carriersNow(ctx context.Context, config record.Config) (carriers, error) {
	names, err := e.Store.Roles(ctx)
	if err != nil {
		return nil, err
	}
	found := carriers{}
	for _, name := range names {
		role, err := e.turned(ctx, name, config)
		if err != nil && !errors.Is(err, store.ErrUnreadable) { // its keys are passed over, too
			return nil, err
		}
		if err == nil && role != nil && len(role.Prefixes.Used) > 1 {
			found[role.UID] = &carrier{name, role.Prefixes.Turns, map[string]bool{}}
		}
	}
	return found, nil
}

// turned is the role with today's prefix as the last one, if it has any other.
func (e *Engine) turned(ctx context.Context, name string, config record.Config) (*record.Role, error) {
	role, err := e.Store.Role(ctx, name)
	if err != nil || role == nil {
		return nil, err
	}
	today := role.EffectivePrefix(config)
	if len(role.Prefixes.With(today)) == 1 {
		return role, nil
	}
	err = e.usePrefix(ctx, name, *role, today)
	if err != nil && !errors.As(err, new(record.Conflict)) { // it has too many
		return nil, ignoreRoleGone(err)
	}
	return e.Store.Role(ctx, name)
}

// saw notes a key that has not ended.
func (c carriers) saw(k *record.Key) {
	if role := c[k.RoleUID]; role != nil {
		role.carried[k.Prefix] = true
	}
}

// dropPrefixes has the roles forget the prefixes that no key was seen with. A
// child gets its parent's prefix; who has a live one was seen, or its parent was.
func (e *Engine) dropPrefixes(ctx context.Context, roles carriers) error {
	for uid, role := range roles {
		err := e.changePrefixes(ctx, role.name, uid, func(p *record.Prefixes) error {
			if p.Turns != role.turns || !p.Drop(func(prefix string) bool { return role.carried[prefix] }) {
				return record.ErrUnchanged
			}
			return nil
		})
		if err := ignoreRoleGone(err); err != nil {
			return err
		}
	}
	return nil
}

// ignoreRoleGone is for work on a role that may have been deleted meanwhile.
func ignoreRoleGone(err error) error {
	if errors.Is(err, record.ErrRoleNotFound) {
		return nil
	}
	return err
}
