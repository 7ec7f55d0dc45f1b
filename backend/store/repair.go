package store

import (
	"context"
	"errors"
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
	want := hint{Role: k.Role, ExpiresAt: k.LastsUntil()}
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

// SweepLeftovers removes hints, quotas and static names that belong to no key, and
// owners without any, and answers how many. step is called between them.
func (s *Store) SweepLeftovers(ctx context.Context, step func()) (repaired int, err error) {
	l := &leftovers{Store: s, step: step}
	err = l.sweep(ctx)
	return l.removed, err
}

// leftovers are what a crash left behind.
type leftovers struct {
	*Store
	step    func()
	removed int
}

func (l *leftovers) sweep(ctx context.Context) error {
	owners, err := l.Owners(ctx)
	if err != nil {
		return err
	}
	for _, of := range []string{ownerKeys, rosterFolder} {
		more, err := l.folders(ctx, of)
		if err != nil {
			return err
		}
		owners = append(owners, more...)
	}
	slices.Sort(owners)
	for _, owner := range slices.Compact(owners) {
		if err := l.sweepOwner(ctx, owner); err != nil {
			return err
		}
	}
	roles, err := l.folders(ctx, roleKeys)
	if err != nil {
		return err
	}
	for _, role := range roles {
		uids, err := l.folders(ctx, roleKeys+role+"/")
		if err != nil {
			return err
		}
		for _, uid := range uids {
			if err := l.sweepFolder(ctx, roleKeys+role+"/"+uid+"/", hintPaths); err != nil {
				return err
			}
		}
	}
	if err := l.sweepNames(ctx); err != nil {
		return err
	}
	return l.sweepFolder(ctx, quotaFolder, func(k record.Key) []string { return []string{quotaPath(k.ID)} })
}

// sweepOwner removes an owner's dead hints, and the owner when nothing is left.
// The mark of a stop stays for good: it must outlive every record that it ends.
// A key being issued holds the owner from before its first hint, so it is held
// alone here, but only where a look has found nothing: a long list is no work to
// be done while issuers wait.
func (l *leftovers) sweepOwner(ctx context.Context, owner string) error {
	if err := l.sweepFolder(ctx, ownerKeys+owner+"/", hintPaths); err != nil {
		return err
	}
	used, err := l.hasHints(ctx, owner)
	if err != nil {
		return err
	}
	if used {
		return l.sweepRosters(ctx, owner, true)
	}
	defer l.HoldOwner(owner, true)()
	if used, err = l.hasHints(ctx, owner); err != nil || used {
		return err
	}
	if err := l.sweepRosters(ctx, owner, false); err != nil {
		return err
	}
	return l.owners.discard(ctx, owner, true, func(o record.Owner) bool { return o.Generation == 0 })
}

func (s *Store) hasHints(ctx context.Context, owner string) (bool, error) {
	left, err := s.list(ctx, ownerKeys+owner+"/")
	return len(left) > 0, err
}

// sweepFolder removes the entries in one folder that lead to no record, or to one
// that has its entries of this kind elsewhere.
func (l *leftovers) sweepFolder(ctx context.Context, folder string, entries func(record.Key) []string) error {
	return l.walk(ctx, folder, "", func(id string) (bool, error) {
		l.step()
		dead := func(k record.Key, found bool) bool {
			return !found || !slices.Contains(entries(k), shardPath(folder, id))
		}
		k, found, err := l.keys.peek(ctx, id)
		if errors.Is(err, ErrUnreadable) {
			return true, nil // whose it is, nobody can tell
		}
		if err != nil || !dead(k, found) {
			return true, err
		}
		return true, l.removeDead(ctx, id, shardPath(folder, id), dead)
	})
}

// removeDead looks again under the lock that a key being made holds from its
// first hint to its record.
func (l *leftovers) removeDead(ctx context.Context, id, path string, dead func(record.Key, bool) bool) error {
	defer l.keys.locks.hold(id, alone)()
	k, found, err := l.keys.fresh(ctx, id)
	if err != nil || !dead(k, found) {
		return err
	}
	l.removed++
	return remove(ctx, l.storage, path)
}

// folders are the names of the folders right below a folder.
func (s *Store) folders(ctx context.Context, folder string) (folders []string, err error) {
	names, err := s.list(ctx, folder)
	for _, n := range names {
		if name, ok := strings.CutSuffix(n, "/"); ok {
			folders = append(folders, name)
		}
	}
	return folders, err
}
