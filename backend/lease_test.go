package backend_test

import (
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// renew asks for a lease's renewal as Vault's expiration manager does. It hands
// over a copy: Vault keeps the lease in storage, not in the plugin.
func (m *mount) renew(lease *logical.Secret, increment time.Duration) answer {
	m.t.Helper()
	secret := *lease
	secret.Increment = increment
	return m.send(m.ctx, &logical.Request{Operation: logical.RenewOperation, Path: "issue/any", Secret: &secret})
}

// endLease tells the mount that a lease has ended.
func (m *mount) endLease(lease *logical.Secret) answer {
	m.t.Helper()
	secret := *lease
	return m.send(m.ctx, &logical.Request{Operation: logical.RevokeOperation, Path: "issue/any", Secret: &secret})
}
