package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"vault-plugin-secrets-apikeys/backend/apikey"
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

// Intact tells whether r is of keys: what takes another text for an id finds no
// place in storage for it.
func (r usageRecord) Intact() bool {
	for id := range r.Uses {
		if !apikey.ValidID(id) {
			return false
		}
	}
	return true
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

// MergeUses merges last uses into what is stored, and answers what is stored now
// of those that were written. Trouble with one entry does not keep the others
// from being written.
func (s *Store) MergeUses(ctx context.Context, uses map[string]record.Uses) (map[string]record.Uses, error) {
	shards := make(map[string][]string)
	for id := range uses {
		path := usagePath(id)
		shards[path] = append(shards[path], id)
	}
	s.usage.Lock()
	defer s.usage.Unlock()
	defer s.usageChanges.Add(1)
	merged := make(map[string]record.Uses, len(uses))
	var mu sync.Mutex
	err := together(slices.Collect(maps.Keys(shards)), func(path string) error {
		r, err := s.mergeShard(ctx, path, shards[path], uses)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, id := range shards[path] {
			merged[id] = r.Uses[id]
		}
		return nil
	})
	return merged, err
}

func (s *Store) mergeShard(ctx context.Context, path string, ids []string, uses map[string]record.Uses) (usageRecord, error) {
	r, _, err := read[usageRecord](ctx, s.storage, path)
	if err != nil {
		return r, err
	}
	if r.Uses == nil {
		r.Uses = make(map[string]record.Uses, len(ids))
	}
	for _, id := range ids {
		r.Uses[id] = r.Uses[id].Merge(uses[id])
	}
	return r, write(ctx, s.storage, path, r)
}

// writers is how many entries are written at a time where many must be: an
// orderly end has two seconds.
const writers = 8

// together calls work for each path, several at a time, and joins the errors.
func together(paths []string, work func(path string) error) error {
	var group sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		group.Go(func() {
			for i := w; i < len(paths); i += writers {
				errs[w] = errors.Join(errs[w], survive(paths[i], work))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// survive calls work and makes an error of a panic, which in a goroutine nothing
// else would catch. The other paths are worked on all the same.
func survive(path string, work func(path string) error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a fault in the plugin ended a write")
		}
	}()
	return work(path)
}

// usageMark says how the last process ended, and what may have been lost.
type usageMark struct {
	InOrder bool             `json:"in_order"` // all last uses were written down
	Gaps    record.UsageGaps `json:"gaps"`
}

// TakeOverUsage begins a process that counts from born, and answers what those
// before it may have lost: where the last one did not end in order, all that
// slack allows for. The mark that it leaves says that this one has not ended.
func (s *Store) TakeOverUsage(ctx context.Context, born record.Time, slack record.Seconds) (record.UsageGaps, error) {
	mark, found, err := read[usageMark](ctx, s.storage, usageMarkPath)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return nil, err
	}
	if (found || err != nil) && !mark.InOrder {
		mark.Gaps = mark.Gaps.Add(record.UsageGap{Before: born, Slack: slack})
	}
	mark.InOrder = false
	return mark.Gaps, write(ctx, s.storage, usageMarkPath, mark)
}

// ResumeUsage leaves the mark that last uses are not written down any more as they
// happen, after EndUsage and in the same process.
func (s *Store) ResumeUsage(ctx context.Context, gaps record.UsageGaps) error {
	return write(ctx, s.storage, usageMarkPath, usageMark{Gaps: gaps})
}

// EndUsage leaves the mark that all last uses are written down.
func (s *Store) EndUsage(ctx context.Context, gaps record.UsageGaps) error {
	return write(ctx, s.storage, usageMarkPath, usageMark{InOrder: true, Gaps: gaps})
}

func usagePath(id string) string {
	folder := strings.IndexByte(alphabet, id[0])*len(alphabet) + strings.IndexByte(alphabet, id[1])
	return fmt.Sprintf("%s%03d", usageFolder, folder/foldersPerUsageShard)
}
