package store

import (
	"context"

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

func quotaPath(id string) string { return shardPath(quotaFolder, id) }
