package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Problem is something in storage that does not fit together.
type Problem struct {
	Path string
	What string
	// Leftover marks what a crash may leave behind and tidy removes. Everything
	// else must never be found.
	Leftover bool
}

func (p Problem) String() string { return p.Path + ": " + p.What }

// Check reads a whole mount and answers what is wrong with it at this time. It
// trusts no cache and changes nothing; it is for tests and for a mount that
// nobody writes.
func Check(ctx context.Context, storage logical.Storage, now record.Time) ([]Problem, error) {
	c := &checker{storage: storage, now: now, hints: make(map[string]bool), wanted: make(map[string]bool), optional: make(map[string]bool), keys: make(map[string]bool), rosters: make(map[string]roster), counted: make(map[string][]string), owners: make(map[string]bool)}
	var paths []string
	err := logical.ScanView(ctx, storage, func(path string) { paths = append(paths, path) })
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if err := c.entry(ctx, path); err != nil {
			c.problem(path, err.Error(), false)
		}
	}
	for path := range c.wanted {
		if !c.hints[path] {
			c.problem(path, "the hint of a key is missing", false)
		}
	}
	if err := c.checkRosters(ctx); err != nil {
		return nil, err
	}
	for _, path := range c.counts {
		if !c.keys[path[strings.LastIndex(path, "/")+1:]] {
			c.problem(path, "what is counted belongs to no key", true)
		}
	}
	for path := range c.hints {
		if !c.wanted[path] && !c.optional[path] {
			c.problem(path, "the hint leads to no key", true)
		}
	}
	slices.SortFunc(c.problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return c.problems, nil
}

type checker struct {
	storage  logical.Storage
	now      record.Time
	problems []Problem
	hints    map[string]bool // found
	wanted   map[string]bool // that the records call for
	optional map[string]bool // that may be there or not
	keys     map[string]bool // ids with a record
	counts   []string        // paths of what is counted of a key: its quota, its last uses
	rosters  map[string]roster
	counted  map[string][]string // ids of keys that live, by the roster that must name them
	owners   map[string]bool     // who have keys
}

func (c *checker) problem(path, what string, leftover bool) {
	c.problems = append(c.problems, Problem{path, what, leftover})
}

func (c *checker) entry(ctx context.Context, path string) error {
	folder, _, _ := strings.Cut(path, "/")
	switch folder + "/" {
	case keyFolder:
		return c.key(ctx, path)
	case ownerKeys, roleKeys:
		c.hints[path] = true
		return mustRead[hint](ctx, c.storage, path)
	case rosterFolder:
		return c.roster(ctx, path)
	case roleFolder:
		return mustRead[record.Role](ctx, c.storage, path)
	case ownerFolder:
		return mustRead[record.Owner](ctx, c.storage, path)
	case quotaFolder:
		c.counts = append(c.counts, path)
		return mustRead[record.Quota](ctx, c.storage, path)
	case usageFolder:
		return c.usage(ctx, path)
	case configPath + "/":
		return mustRead[record.Config](ctx, c.storage, path)
	case tagKeyPath + "/":
		return mustRead[tagKeyRecord](ctx, c.storage, path)
	default:
		return fmt.Errorf("nothing of this engine lies here")
	}
}

// key checks one record by itself and notes which hints it calls for.
func (c *checker) key(ctx context.Context, path string) error {
	k, _, err := read[record.Key](ctx, c.storage, path)
	if err != nil {
		return err
	}
	if !apikey.ValidID(k.ID) || keyPath(k.ID) != path {
		return fmt.Errorf("the record belongs to another id")
	}
	if len(k.Versions) == 0 {
		return fmt.Errorf("the record has no version")
	}
	c.keys[k.ID] = true
	working := 0
	for i, v := range k.Versions {
		if i > 0 && (v.Number >= k.Versions[i-1].Number || v.SupersededAt == 0 || v.ValidUntil > v.ExpiresAt) {
			return fmt.Errorf("version %d does not follow from the one after it", v.Number)
		}
		if !v.Hash.None() && keyhash.Check(v.Hash) != nil {
			return fmt.Errorf("version %d has a damaged hash", v.Number)
		}
		if i == 0 || v.ValidUntil > k.Newest().CreatedAt {
			working++
		}
	}
	if working > 2 {
		return fmt.Errorf("%d versions work at once", working)
	}
	return c.hintsOf(ctx, k)
}

// hintsOf notes which hints a record calls for. Tidy takes the role's away when
// the key has ended; until then it is no error.
func (c *checker) hintsOf(ctx context.Context, k record.Key) error {
	role, found, err := read[record.Role](ctx, c.storage, roleFolder+k.Role)
	if err != nil {
		return err
	}
	owner, _, err := read[record.Owner](ctx, c.storage, ownerFolder+k.Owner)
	if err != nil {
		return err
	}
	standing := record.Standing{Owner: owner}
	if found {
		standing.Role = k.IssuedUnder(&role)
	}
	ended := standing.Role == nil || k.EndedAt(standing, c.now) != 0
	c.owners[k.Owner] = true
	if !ended && k.Owner != "" && role.MaxKeysPerOwner > 0 {
		path := rosterPath(k.Owner, k.Role)
		c.counted[path] = append(c.counted[path], k.ID)
	}
	for _, path := range hintPaths(k) {
		if path == roleHintPath(k) && ended {
			c.optional[path] = true
		} else {
			c.wanted[path] = true
		}
	}
	return nil
}

func (c *checker) usage(ctx context.Context, path string) error {
	switch {
	case path == usageMarkPath:
		return mustRead[usageMark](ctx, c.storage, path)
	case strings.HasPrefix(path, deltaFolder):
		return mustRead[usageDelta](ctx, c.storage, path)
	case !strings.HasPrefix(path, usageKeys):
		return fmt.Errorf("nothing of this engine lies here")
	}
	c.counts = append(c.counts, path)
	return mustRead[usageBase](ctx, c.storage, path)
}

func mustRead[V any](ctx context.Context, storage logical.Storage, path string) error {
	_, _, err := read[V](ctx, storage, path)
	return err
}
