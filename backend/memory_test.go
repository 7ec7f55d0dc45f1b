package backend_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// memory is a logical.Storage in a map, with a hook around each call. Unlike
// the SDK's own it may outlive a synctest bubble and be copied.
type memory struct {
	mu      sync.Mutex
	entries map[string][]byte
	around  intercept
}

// call is one call of a storage.
type call struct{ method, path string }

func (c call) String() string { return c.method + " " + c.path }

// intercept stands around a call: it runs effect, or does not, and answers.
type intercept func(ctx context.Context, c call, effect func()) error

func newMemory() *memory { return &memory{entries: make(map[string][]byte)} }

// clone is another storage with the same entries and no hook.
func (s *memory) clone() *memory { return &memory{entries: s.dump()} }

// dump is a copy of all entries; a value is never changed in place.
func (s *memory) dump() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

// sameAs tells whether nothing changed since the dump was made.
func (s *memory) sameAs(dump map[string][]byte) bool {
	return maps.EqualFunc(s.dump(), dump, bytes.Equal)
}

// intercept sets the hook; nil removes it.
func (s *memory) intercept(around intercept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = around
}

func (s *memory) do(ctx context.Context, c call, effect func()) error {
	s.mu.Lock()
	around := s.around
	s.mu.Unlock()
	locked := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		effect()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if around != nil {
		return around(ctx, c, locked)
	}
	locked()
	return nil
}

func (s *memory) Get(ctx context.Context, path string) (entry *logical.StorageEntry, err error) {
	err = s.do(ctx, call{"get", path}, func() {
		if value, ok := s.entries[path]; ok {
			entry = &logical.StorageEntry{Key: path, Value: bytes.Clone(value)}
		}
	})
	if err != nil {
		return nil, err
	}
	return entry, nil
}

func (s *memory) Put(ctx context.Context, e *logical.StorageEntry) error {
	value := bytes.Clone(e.Value)
	return s.do(ctx, call{"put", e.Key}, func() { s.entries[e.Key] = value })
}

func (s *memory) Delete(ctx context.Context, path string) error {
	return s.do(ctx, call{"delete", path}, func() { delete(s.entries, path) })
}

func (s *memory) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.do(ctx, call{"list", prefix}, func() {
		found := make(map[string]bool)
		for path := range s.entries {
			if rest, ok := strings.CutPrefix(path, prefix); ok {
				name, _, isFolder := strings.Cut(rest, "/")
				if isFolder {
					name += "/"
				}
				found[name] = true
			}
		}
		names = slices.Sorted(maps.Keys(found))
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}
