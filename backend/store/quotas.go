package store

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Quota is what was reserved of a key's quota.
func (s *Store) Quota(ctx context.Context, id string) (record.Quota, bool, error) {
	return read[record.Quota](ctx, s.storage, quotaPath(id))
}

// PutQuota writes what is reserved of a key's quota. Only package limit does,
// under its own lock.
func (s *Store) PutQuota(ctx context.Context, id string, q record.Quota) error {
	return write(ctx, s.storage, quotaPath(id), q)
}

// sweepQuotas removes the quotas of keys that are gone, and answers how many.
func (s *Store) sweepQuotas(ctx context.Context, step func()) (removed int, err error) {
	err = s.walk(ctx, quotaFolder, "", func(id string) (bool, error) {
		step()
		_, found, err := s.keys.peek(ctx, id)
		if errors.Is(err, ErrUnreadable) {
			return true, nil
		}
		if err != nil || found {
			return true, err
		}
		removed++
		return true, remove(ctx, s.storage, quotaPath(id))
	})
	return removed, err
}

func quotaPath(id string) string { return shardPath(quotaFolder, id) }
