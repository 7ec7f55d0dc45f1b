package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vault-plugin-secrets-apikeys/backend/record"
)

// foldersPerUsageShard groups the 3,844 folders of keys into 241 usage entries: a
// flush writes at most so many, and at a million keys one is a tenth of what
// Vault's storage takes.
const foldersPerUsageShard = 16

// usageRecord is the last uses of many keys.
type usageRecord struct {
	Uses map[string]record.Uses `json:"uses"`
}

// usageShard is an entry that was read, kept for the keys beside the one that
// was asked for: a list asks for a thousand neighbours.
type usageShard struct {
	path    string
	changes uint64 // of the usage entries, when it was read
	record  usageRecord
}

// Uses are the last uses of one key, as stored.
func (s *Store) Uses(ctx context.Context, id string) (record.Uses, error) {
	path, changes := usagePath(id), s.usageChanges.Load()
	if last := s.usageShard.Load(); last != nil && last.path == path && last.changes == changes {
		return last.record.Uses[id], nil
	}
	r, _, err := read[usageRecord](ctx, s.storage, path)
	if err == nil {
		s.usageShard.Store(&usageShard{path, changes, r})
	}
	return r.Uses[id], err
}

// MergeUses merges last uses into what is stored, one entry at a time, and
// answers what is stored of these keys now.
func (s *Store) MergeUses(ctx context.Context, uses map[string]record.Uses) (map[string]record.Uses, error) {
	merged := make(map[string]record.Uses, len(uses))
	shards := make(map[string][]string)
	for id := range uses {
		path := usagePath(id)
		shards[path] = append(shards[path], id)
	}
	s.usage.Lock()
	defer s.usage.Unlock()
	defer s.usageChanges.Add(1)
	for path, ids := range shards {
		r, _, err := read[usageRecord](ctx, s.storage, path)
		if err != nil {
			return nil, err
		}
		if r.Uses == nil {
			r.Uses = make(map[string]record.Uses, len(ids))
		}
		for _, id := range ids {
			r.Uses[id] = r.Uses[id].Merge(uses[id])
			merged[id] = r.Uses[id]
		}
		if err := write(ctx, s.storage, path, r); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// SweepUsage removes the last uses of keys that are gone.
func (s *Store) SweepUsage(ctx context.Context, step func()) error {
	names, err := s.names(ctx, usageFolder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if usageFolder+name == cleanPath {
			continue
		}
		if err := s.sweepUsageShard(ctx, usageFolder+name, step); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepUsageShard(ctx context.Context, path string, step func()) error {
	s.usage.Lock()
	defer s.usage.Unlock()
	defer s.usageChanges.Add(1)
	r, found, err := read[usageRecord](ctx, s.storage, path)
	if err != nil || !found {
		return err
	}
	before := len(r.Uses)
	for id := range r.Uses {
		step()
		_, found, err := s.keys.peek(ctx, id)
		if err != nil && !errors.Is(err, ErrUnreadable) {
			return err
		}
		if err == nil && !found {
			delete(r.Uses, id)
		}
	}
	switch len(r.Uses) {
	case before:
		return nil
	case 0:
		return remove(ctx, s.storage, path)
	default:
		return write(ctx, s.storage, path, r)
	}
}

// EndedInOrder tells whether the process before wrote all last uses down, and
// takes the mark away: from now on it is not so.
func (s *Store) EndedInOrder(ctx context.Context) (bool, error) {
	_, found, err := read[struct{}](ctx, s.storage, cleanPath)
	if err != nil || !found {
		return false, err
	}
	return true, remove(ctx, s.storage, cleanPath)
}

// EndInOrder leaves the mark that all last uses are written down.
func (s *Store) EndInOrder(ctx context.Context) error {
	return write(ctx, s.storage, cleanPath, struct{}{})
}

func usagePath(id string) string {
	folder := strings.IndexByte(alphabet, id[0])*len(alphabet) + strings.IndexByte(alphabet, id[1])
	return fmt.Sprintf("%s%03d", usageFolder, folder/foldersPerUsageShard)
}

// Quota is what was reserved of a key's quota.
func (s *Store) Quota(ctx context.Context, id string) (record.Quota, error) {
	q, _, err := read[record.Quota](ctx, s.storage, quotaPath(id))
	return q, err
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

// QuotaOf is the key whose quota lies under a storage path, if one does.
func QuotaOf(path string) (id string, ok bool) {
	name, ok := strings.CutPrefix(path, quotaFolder)
	return name[strings.LastIndex(name, "/")+1:], ok
}

func quotaPath(id string) string { return shardPath(quotaFolder, id) }
