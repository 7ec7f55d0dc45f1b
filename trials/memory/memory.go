// Package memory is the storage of all tests that need none of Vault's: a
// logical.Storage in a map, with a hook around each call, and faults to hook in. It
// knows nothing of the engine.
package memory

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"
)

// Storage is a logical.Storage in a map, with a hook around each call. Unlike
// the SDK's own it may outlive a synctest bubble and be copied.
type Storage struct {
	mu      sync.Mutex
	entries map[string][]byte
	paths   []string // of all entries, sorted
	around  Intercept
	writes  int
	noting  bool
	noted   []string
}

// Call is one call of a storage.
type Call struct{ Method, Path string }

func (c Call) String() string { return c.Method + " " + c.Path }

// Changes tells whether the call has an effect.
func (c Call) Changes() bool { return c.Method == "put" || c.Method == "delete" }

// Intercept stands around a call: it runs effect, or does not, and answers.
type Intercept func(ctx context.Context, c Call, effect func()) error

// New is storage that holds nothing.
func New() *Storage { return &Storage{entries: make(map[string][]byte)} }

// Clone is another storage with the same entries and no hook.
func (s *Storage) Clone() *Storage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Storage{entries: maps.Clone(s.entries), paths: slices.Clone(s.paths)}
}

// Dump is a copy of all entries; a value is never changed in place.
func (s *Storage) Dump() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

// SameAs tells whether nothing changed since the dump was made.
func (s *Storage) SameAs(dump map[string][]byte) bool {
	return maps.EqualFunc(s.Dump(), dump, bytes.Equal)
}

// Intercept sets the hook; nil removes it.
func (s *Storage) Intercept(around Intercept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.around = around
}

// set and unset need the lock.
func (s *Storage) set(path string, value []byte) {
	if at, known := slices.BinarySearch(s.paths, path); !known {
		s.paths = slices.Insert(s.paths, at, path)
	}
	s.entries[path] = value
}

func (s *Storage) unset(path string) {
	if at, known := slices.BinarySearch(s.paths, path); known {
		s.paths = slices.Delete(s.paths, at, at+1)
	}
	delete(s.entries, path)
}

func (s *Storage) do(ctx context.Context, c Call, effect func()) error {
	s.mu.Lock()
	around := s.around
	if c.Changes() {
		s.writes++
	}
	if s.noting {
		s.noted = append(s.noted, c.String())
	}
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

func (s *Storage) Get(ctx context.Context, path string) (entry *logical.StorageEntry, err error) {
	err = s.do(ctx, Call{"get", path}, func() {
		if value, ok := s.entries[path]; ok {
			entry = &logical.StorageEntry{Key: path, Value: bytes.Clone(value)}
		}
	})
	if err != nil {
		return nil, err
	}
	return entry, nil
}

func (s *Storage) Put(ctx context.Context, e *logical.StorageEntry) error {
	value := bytes.Clone(e.Value)
	return s.do(ctx, Call{"put", e.Key}, func() { s.set(e.Key, value) })
}

func (s *Storage) Delete(ctx context.Context, path string) error {
	return s.do(ctx, Call{"delete", path}, func() { s.unset(path) })
}

func (s *Storage) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.do(ctx, Call{"list", prefix}, func() {
		for next := prefix; ; {
			at, _ := slices.BinarySearch(s.paths, next)
			if at == len(s.paths) || !strings.HasPrefix(s.paths[at], prefix) {
				return
			}
			name, _, isFolder := strings.Cut(s.paths[at][len(prefix):], "/")
			next = prefix + name + "\x00"
			if isFolder {
				name += "/"
				next = prefix + name + "\xff" // beyond what is in it: paths are text
			}
			names = append(names, name)
		}
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}
