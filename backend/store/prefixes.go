package store

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// UsePrefix has a role remember a prefix before a key carries it. role is what the
// caller saw of it.
func (s *Store) UsePrefix(ctx context.Context, name string, role record.Role, prefix string) error {
	if role.Prefixes.Last(prefix) {
		return nil // the usual case, which takes no lock
	}
	return s.UpdatePrefixes(ctx, name, role.UID, func(p *record.Prefixes) error { return p.Use(prefix) })
}

// UpdatePrefixes changes what the role of this uid remembers of prefixes, unless
// change answers ErrUnchanged.
func (s *Store) UpdatePrefixes(ctx context.Context, name, uid string, change func(*record.Prefixes) error) error {
	_, err := s.UpdateRole(ctx, name, func(role record.Role, found bool) (record.Role, error) {
		if !found || role.UID != uid {
			return role, record.ErrRoleNotFound
		}
		err := change(&role.Prefixes)
		return role, err
	})
	return err
}
