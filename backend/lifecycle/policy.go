package lifecycle

import (
	"context"
	"crypto/rand"

	"vault-plugin-secrets-apikeys/backend/record"
)

// WriteRole changes a role, or makes it. apply sets what was sent, and wrote tells of
// which fields something was.
func (e *Engine) WriteRole(ctx context.Context, name string, wrote func(field string) bool, apply func(*record.Role) error) (record.Role, error) {
	if err := record.CheckName("role", name); err != nil {
		return record.Role{}, err
	}
	return e.Store.UpdateRole(ctx, name, func(role record.Role, found bool) (record.Role, error) {
		untemplated := found && role.OwnerTemplate == ""
		if !found {
			role = newRole()
		}
		if err := apply(&role); err != nil {
			return role, err
		}
		// A template is a boundary between tenants, so an empty value, which may come
		// from an unset variable, is accepted only where a role has none: what was read
		// can be written back.
		if wrote("owner_template") && role.OwnerTemplate == "" && !untemplated {
			return role, record.ErrNoTemplate
		}
		return role, role.Check(wrote)
	})
}

// newRole is another role than any before it, also of its own name: keys follow the
// uid.
func newRole() record.Role {
	role := record.DefaultRole()
	role.UID = rand.Text()
	return role
}

// DeleteRole removes a role none of whose keys is left alive. What is not there is
// no error.
func (e *Engine) DeleteRole(ctx context.Context, name string) error {
	if !record.ValidName(name) {
		return nil
	}
	return e.Store.DeleteRole(ctx, name, e.Clock.Now(), e.judge(ctx))
}

// UpdateConfig changes the configuration of the mount.
func (e *Engine) UpdateConfig(ctx context.Context, apply func(*record.Config) error) (record.Config, error) {
	return e.Store.UpdateConfig(ctx, func(c *record.Config) error {
		if err := apply(c); err != nil {
			return err
		}
		return c.Check()
	})
}
