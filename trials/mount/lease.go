package mount

import (
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// Renew asks for a lease's renewal as Vault's expiration manager does. It hands
// over a copy: Vault keeps the lease in storage, not in the plugin.
func (m *Mount) Renew(lease *logical.Secret, increment time.Duration) Answer {
	m.T.Helper()
	secret := *lease
	secret.Increment = increment
	return m.Send(m.Ctx, &logical.Request{Operation: logical.RenewOperation, Path: "issue/any", Secret: &secret})
}

// EndLease tells the mount that a lease has ended.
func (m *Mount) EndLease(lease *logical.Secret) Answer {
	m.T.Helper()
	secret := *lease
	return m.Send(m.Ctx, &logical.Request{Operation: logical.RevokeOperation, Path: "issue/any", Secret: &secret})
}

// Registered are leases that Vault has taken into its care.
func (m *Mount) Registered(answers ...Answer) {
	for _, a := range answers {
		a.Secret.IssueTime = time.Now()
	}
}
