package store

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// hint says that a key of this id belongs to the owner or role whose folder the
// hint is in. It decides nothing: what counts is the record.
type hint struct {
	Role string `json:"role"`
	// ExpiresAt is the latest moment at which the key can end. A key that was
	// revoked earlier keeps it until tidy passes.
	ExpiresAt record.Time `json:"expires_at"`
}

// writeHints writes the hints of a key before its record.
func (s *Store) writeHints(ctx context.Context, k record.Key) error {
	h := hint{Role: k.Role, ExpiresAt: k.Newest().Until}
	for _, path := range hintPaths(k) {
		if err := write(ctx, s.storage, path, h); err != nil {
			return err
		}
	}
	return nil
}

// removeHints removes the hints of a key after its record.
func (s *Store) removeHints(ctx context.Context, k record.Key) error {
	for _, path := range hintPaths(k) {
		if err := remove(ctx, s.storage, path); err != nil {
			return err
		}
	}
	return nil
}

// hintPaths are where the hints of a key lie. The role's uid is part of its
// folder: a new role of an old name has no part in the old one's keys.
func hintPaths(k record.Key) []string {
	paths := []string{roleHintPath(k)}
	if k.Owner != "" {
		paths = append(paths, ownerHintPath(k))
	}
	return paths
}

func roleHintPath(k record.Key) string {
	return shardPath(roleKeys+k.Role+"/"+k.RoleUID+"/", k.ID)
}

func ownerHintPath(k record.Key) string { return shardPath(ownerKeys+k.Owner+"/", k.ID) }

// ensureOwner makes the owner's record with its first key, so that owners can be
// listed without passing over their keys. The caller holds the owner's lock.
func (s *Store) ensureOwner(ctx context.Context, owner string) error {
	_, found, err := s.owners.get(ctx, owner)
	if err != nil || found {
		return err
	}
	return s.owners.put(ctx, owner, record.Owner{})
}
