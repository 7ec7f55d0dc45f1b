package lifecycle

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
)

// A version that was stored and whose answer nobody got is withdrawn: the version
// before goes on as it was, a new key is removed. There are two ways to know of
// it: the client is gone when the version is stored, or Vault revokes a lease that
// it could not register. Between the two, while the answer is on its way to Vault,
// nobody can tell; then the version before has its grace, and no more.

// registrationTime is how long after a version was made Vault may still find that
// it cannot register the lease. It gives a request 90 seconds.
const registrationTime record.Seconds = 300

// WithdrawLease is what follows where Vault could not register the lease of a
// version. It is safe to repeat.
//
// Vault says so within the request. What comes later is an order, whatever the
// server meant by it: a withdrawal revives the version before.
func (e *Engine) WithdrawLease(ctx context.Context, id string, version int) error {
	return e.withdraw(ctx, id, version, e.Clock.Now()-record.Time(registrationTime))
}

// withdraw ends a version that was made before since.
func (e *Engine) withdraw(ctx context.Context, id string, version int, since record.Time) error {
	_, err := e.end(ctx, id, func(k *record.Key, now record.Time) error {
		if v := k.Find(version); v != nil && v.CreatedAt < since {
			return k.EndVersion(version, now)
		}
		return k.Withdraw(version, now)
	})
	if !errors.Is(err, record.ErrLastOne) {
		return record.Except(err, record.ErrKeyNotFound)
	}
	return e.remove(ctx, id, func(k *record.Key) bool {
		return k == nil || !errors.Is(k.Withdraw(version, 0), record.ErrLastOne)
	})
}
