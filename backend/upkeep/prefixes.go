package upkeep

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// carriers finds out in one walk over all keys which earlier prefixes of their
// roles no live key carries any more.
type carriers map[string]*carrier

// carrier is a role with earlier prefixes, by its uid.
type carrier struct {
	name    string
	turns   uint64
	carried map[string]bool
}

// carriersNow are those of the roles that have earlier prefixes. From here on no key of
// such a prefix is issued, unless the role is changed back, which Turns tells:
// today's prefix is the last one also where no key was issued with it yet.
func (m *Mount) carriersNow(ctx context.Context, config record.Config, names []string) (carriers, error) {
	found := carriers{}
	for _, name := range names {
		role, there, err := m.turned(ctx, name, config)
		if err != nil && !errors.Is(err, store.ErrUnreadable) { // its keys are passed over, too
			return nil, err
		}
		if err == nil && there && len(role.Prefixes.Used) > 1 {
			found[role.UID] = &carrier{name, role.Prefixes.Turns, map[string]bool{}}
		}
	}
	return found, nil
}

// turned is the role with today's prefix as the last one, if it has any other.
func (m *Mount) turned(ctx context.Context, name string, config record.Config) (record.Role, bool, error) {
	role, found, err := m.Store.Role(ctx, name)
	if err != nil || !found {
		return role, false, err
	}
	today := role.EffectivePrefix(config)
	if len(role.Prefixes.With(today)) == 1 {
		return role, true, nil
	}
	err = m.Store.UsePrefix(ctx, name, role, today)
	if err != nil && !errors.As(err, new(record.Conflict)) { // a role with too many prefixes stays as it is
		return role, false, record.Except(err, record.ErrRoleNotFound)
	}
	return m.Store.Role(ctx, name)
}

// saw notes a key that has not ended.
func (c carriers) saw(k *record.Key) {
	if role := c[k.RoleUID]; role != nil {
		role.carried[k.Prefix] = true
	}
}

// dropPrefixes has the roles forget the prefixes that no key was seen with. A
// child gets its parent's prefix; who has a live one was seen, or its parent was.
func (m *Mount) dropPrefixes(ctx context.Context, roles carriers) error {
	for uid, role := range roles {
		err := m.Store.UpdatePrefixes(ctx, role.name, uid, func(p *record.Prefixes) error {
			if p.Turns != role.turns || !p.Drop(func(prefix string) bool { return role.carried[prefix] }) {
				return record.ErrUnchanged
			}
			return nil
		})
		if err := record.Except(err, record.ErrRoleNotFound); err != nil {
			return err
		}
	}
	return nil
}
