package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// RepairHints brings the hints of one key in line with its record and answers
// how many were missing. A key that has ended keeps the hint of its owner, who
// can still list it, and loses that of its role, which asks only for keys that
// have not.
//
// endedAt tells of a record when its key ended, 0 while it lives.
func (s *Store) RepairHints(ctx context.Context, id string, endedAt func(record.Key) record.Time) (repaired int, err error) {
	defer s.keys.locks.hold(id, alone)()
	k, found, err := s.keys.peek(ctx, id)
	if err != nil || !found {
		return 0, err
	}
	want := hint{Role: k.Role, ExpiresAt: k.Newest().Until}
	ended := endedAt(k)
	if ended != 0 {
		want.ExpiresAt = ended
	}
	for _, path := range hintPaths(k) {
		have, found, err := read[hint](ctx, s.storage, path)
		if errors.Is(err, ErrUnreadable) {
			have, found, err = hint{}, false, nil // written anew
		}
		if err != nil {
			return repaired, err
		}
		keep := ended == 0 || path != roleHintPath(k)
		switch {
		case keep && (!found || have != want):
			err = write(ctx, s.storage, path, want)
		case !keep && found:
			err = remove(ctx, s.storage, path)
		default:
			continue
		}
		if err != nil {
			return repaired, err
		}
		if keep && !found {
			repaired++
		}
	}
	return repaired, nil
}

// SweepLeftovers removes hints and quotas that belong to no key, and owners
// without any, and answers how many. step is called between them.
func (s *Store) SweepLeftovers(ctx context.Context, step func()) (repaired int, err error) {
	owners, err := s.Owners(ctx)
	if err != nil {
		return 0, err
	}
	withHints, err := s.folders(ctx, ownerKeys)
	if err != nil {
		return 0, err
	}
	withRosters, err := s.folders(ctx, rosterFolder)
	if err != nil {
		return 0, err
	}
	owners = append(append(owners, withHints...), withRosters...)
	slices.Sort(owners)
	for _, owner := range slices.Compact(owners) {
		n, err := s.sweepOwner(ctx, owner, step)
		repaired += n
		if err != nil {
			return repaired, err
		}
	}
	roles, err := s.folders(ctx, roleKeys)
	if err != nil {
		return repaired, err
	}
	for _, role := range roles {
		uids, err := s.folders(ctx, roleKeys+role+"/")
		if err != nil {
			return repaired, err
		}
		for _, uid := range uids {
			n, err := s.sweepFolder(ctx, roleKeys+role+"/"+uid+"/", step)
			repaired += n
			if err != nil {
				return repaired, err
			}
		}
	}
	quotas, err := s.sweepQuotas(ctx, step)
	return repaired + quotas, err
}

// sweepOwner removes an owner's dead hints, and the owner when nothing is left.
// The mark of a stop stays for good: it must outlive every record that it ends.
// A key being issued holds the owner from before its first hint, so it is held
// alone here, but only where a look has found nothing: a long list is no work to
// be done while issuers wait.
func (s *Store) sweepOwner(ctx context.Context, owner string, step func()) (repaired int, err error) {
	repaired, err = s.sweepFolder(ctx, ownerKeys+owner+"/", step)
	if err != nil {
		return repaired, err
	}
	used, err := s.hasHints(ctx, owner)
	if err != nil {
		return repaired, err
	}
	if used {
		return repaired, s.sweepRosters(ctx, owner)
	}
	defer s.HoldOwner(owner, true)()
	if used, err = s.hasHints(ctx, owner); err != nil || used {
		return repaired, err
	}
	if err := s.removeRosters(ctx, owner); err != nil {
		return repaired, err
	}
	return repaired, s.owners.discard(ctx, owner, true, func(o record.Owner) bool { return o.Generation == 0 })
}

func (s *Store) hasHints(ctx context.Context, owner string) (bool, error) {
	left, err := s.storage.List(ctx, ownerKeys+owner+"/")
	if err != nil {
		return false, fmt.Errorf("list %s: %w", ownerKeys, err)
	}
	return len(left) > 0, nil
}

// sweepFolder removes the hints in one folder that lead to no record, or to one
// whose hint lies elsewhere.
func (s *Store) sweepFolder(ctx context.Context, folder string, step func()) (repaired int, err error) {
	err = s.walk(ctx, folder, "", func(id string) (bool, error) {
		step()
		path := shardPath(folder, id)
		k, found, err := s.keys.peek(ctx, id)
		if errors.Is(err, ErrUnreadable) {
			return true, nil // whose it is, nobody can tell
		}
		if err != nil || found && slices.Contains(hintPaths(k), path) {
			return true, err
		}
		removed, err := s.removeDeadHint(ctx, id, path)
		if removed {
			repaired++
		}
		return true, err
	})
	return repaired, err
}

// removeDeadHint looks again under the lock that a key being made holds from its
// first hint to its record.
func (s *Store) removeDeadHint(ctx context.Context, id, path string) (removed bool, err error) {
	defer s.keys.locks.hold(id, alone)()
	k, found, err := s.keys.fresh(ctx, id)
	if err != nil || found && slices.Contains(hintPaths(k), path) {
		return false, err
	}
	return true, remove(ctx, s.storage, path)
}

// folders are the names of the folders right below a folder.
func (s *Store) folders(ctx context.Context, folder string) ([]string, error) {
	names, err := s.storage.List(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	var folders []string
	for _, n := range names {
		if name, ok := strings.CutSuffix(n, "/"); ok {
			folders = append(folders, name)
		}
	}
	slices.Sort(folders)
	return folders, nil
}
