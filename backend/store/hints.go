package store

import (
	"context"
	"errors"
	"fmt"

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
	h := hint{Role: k.Role, ExpiresAt: k.LastsUntil()}
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

// eachHinted visits the ids of a role's keys whose hints lie in a folder, until
// visit answers false. A hint whose time has passed is not followed; one that cannot
// be read is, since the record tells.
func (s *Store) eachHinted(ctx context.Context, folder, role string, now record.Time, visit func(id string) (more bool, err error)) error {
	return s.walk(ctx, folder, "", func(id string) (more bool, err error) {
		h, found, err := read[hint](ctx, s.storage, shardPath(folder, id))
		if !errors.Is(err, ErrUnreadable) && (err != nil || !found || h.Role != role || now >= h.ExpiresAt) {
			return true, err
		}
		return visit(id)
	})
}

// hintPaths are where the hints of a key lie. The role's uid and generation are
// part of its folder: a new role of an old name has no part in the old one's
// keys, and after a stop none of a role's keys counts.
func hintPaths(k record.Key) []string {
	paths := []string{roleHintPath(k)}
	if k.Owner != "" {
		paths = append(paths, ownerHintPath(k))
	}
	return paths
}

func roleHintPath(k record.Key) string {
	return shardPath(roleHintFolder(k.Role, k.RoleUID, k.RoleGeneration), k.ID)
}

func roleHintFolder(role, uid string, generation uint64) string {
	return fmt.Sprintf("%s%s/%s-%d/", roleKeys, role, uid, generation)
}

func ownerHintPath(k record.Key) string { return shardPath(ownerKeys+k.Owner+"/", k.ID) }
