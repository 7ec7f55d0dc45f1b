package store

import (
	"context"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Role is the role of this name.
func (s *Store) Role(ctx context.Context, name string) (record.Role, bool, error) {
	return s.roles.get(ctx, name)
}

// HoldRole keeps the role from being deleted until release. It may be changed and
// stopped: that waits for nobody, and whoever holds the role looks again.
func (s *Store) HoldRole(name string) (release func()) { return s.roleHolds.hold(name, shared) }

// UpdateRole changes the role under its lock, or makes it. Whatever else changes a
// role's entry waits meanwhile, a stop among it, so change does nothing that takes
// long.
func (s *Store) UpdateRole(ctx context.Context, name string, change func(old record.Role, found bool) (record.Role, error)) (record.Role, error) {
	return s.roles.update(ctx, name, writing[record.Role]{hold: alone}, func(old record.Role, found bool) (record.Role, error) {
		changed, err := change(old, found)
		if changed.MaxKeysPerOwner > 0 && old.MaxKeysPerOwner == 0 {
			changed.Counts++ // nobody counted meanwhile
		}
		return changed, err
	})
}

// UsePrefix has a role remember a prefix before a key carries it. role is what the
// caller saw of it.
func (s *Store) UsePrefix(ctx context.Context, name string, role record.Role, prefix string) error {
	if role.Prefixes.Last(prefix) {
		return nil // the usual case, which takes no lock
	}
	return s.UpdatePrefixes(ctx, name, role.UID, func(p *record.Prefixes) error { return p.Use(prefix) })
}

// UpdatePrefixes changes what the role of this uid remembers of prefixes, unless
// change answers ErrUnchanged. Nobody decides by it, so it is not told.
func (s *Store) UpdatePrefixes(ctx context.Context, name, uid string, change func(*record.Prefixes) error) error {
	_, err := s.roles.update(ctx, name, writing[record.Role]{hold: alone, quiet: true}, func(role record.Role, found bool) (record.Role, error) {
		if !found || role.UID != uid {
			return role, record.ErrRoleNotFound
		}
		err := change(&role.Prefixes)
		return role, err
	})
	return err
}

// StopRole raises the role's generation, with one write: everything issued under
// it so far is revoked. A role that is not there is ErrRoleNotFound. One that
// cannot be read is replaced by instead, which is another role of its name, so
// that no key of the old one is ever good again.
func (s *Store) StopRole(ctx context.Context, name, reason string, now record.Time, request string, instead record.Role) (record.Role, error) {
	lost := func() record.Role { return instead }
	return s.roles.update(ctx, name, writing[record.Role]{hold: urgent, lost: lost}, func(role record.Role, found bool) (record.Role, error) {
		if !found {
			return role, record.ErrRoleNotFound
		}
		role.Raise(reason, now, request)
		return role, nil
	})
}

// DeleteRole removes the role unless a key of it lives at now. A role that is
// not there is no error.
//
// It looks through the keys twice: first to refuse while nobody waits, then,
// when there is nobody left to be kept waiting but who asks for a new key, to be
// sure. No stop and no change of the role waits for either.
func (s *Store) DeleteRole(ctx context.Context, name string, now record.Time, judge Judge) error {
	role, found, err := s.unusedRole(ctx, name, now, judge)
	if err != nil || !found {
		return err
	}
	defer s.roleHolds.hold(name, alone)()
	role, found, err = s.unusedRole(ctx, name, now, judge)
	if err != nil || !found {
		return err
	}
	// Whatever was changed of the role meanwhile.
	return s.roles.discard(ctx, name, false, func(r record.Role) bool { return r.UID == role.UID })
}

// unusedRole is the role of this name, all of whose keys have ended.
func (s *Store) unusedRole(ctx context.Context, name string, now record.Time, judge Judge) (role record.Role, found bool, err error) {
	role, found, err = s.roles.fresh(ctx, name)
	if err != nil || !found {
		s.roles.decided(name)
		return role, false, err
	}
	err = s.eachHinted(ctx, roleHintFolder(name, role.UID, role.Generation), name, now, func(id string) (more bool, err error) {
		lives, _, err := s.counts(ctx, id, now, judge)
		if err == nil && lives {
			err = record.ErrRoleInUse
		}
		return true, err
	})
	return role, true, err
}

// Roles are the names of all roles, in byte order.
func (s *Store) Roles(ctx context.Context) ([]string, error) { return s.names(ctx, roleFolder) }

func (s *Store) names(ctx context.Context, folder string) ([]string, error) {
	names, err := s.list(ctx, folder)
	return slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "/") }), err
}
