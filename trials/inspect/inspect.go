// Package inspect reads the storage of a whole mount and tells what does not fit
// together. Records it reads as the engine does, through package store; of hints,
// rosters and last uses it looks at what is stored.
package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
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

// Mount answers what is wrong with a mount's storage at this time. It trusts no
// cache and changes nothing.
func Mount(ctx context.Context, storage logical.Storage, now record.Time) ([]Problem, error) {
	c := &checker{
		storage: storage, records: store.New(storage), now: now,
		hints: make(map[string]bool), wanted: make(map[string]bool), optional: make(map[string]bool),
		names: make(map[string]string), named: make(map[string]string), declared: make(map[string]string),
		keys: make(map[string]bool), owners: make(map[string]bool),
		rosters: make(map[string]roster), counted: make(map[string][]string), usages: make(map[record.Subject]record.Usage),
	}
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
	if err := c.checkRosters(ctx); err != nil {
		return nil, err
	}
	c.checkHints()
	c.checkNames()
	for _, of := range c.counts {
		if !c.keys[path.Base(of)] {
			c.problem(of, "what is counted belongs to no key", true)
		}
	}
	c.checkUsage()
	slices.SortFunc(c.problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return c.problems, nil
}

type checker struct {
	storage  logical.Storage
	records  *store.Store
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
	names    map[string]string   // ids to which static names lead
	named    map[string]string   // static names that records call theirs, by id
	declared map[string]string   // those of keys that live
	usages   map[record.Subject]record.Usage
}

func (c *checker) problem(path, what string, leftover bool) {
	c.problems = append(c.problems, Problem{path, what, leftover})
}

var errNotOurs = errors.New("nothing of this engine lies here")

func (c *checker) entry(ctx context.Context, at string) (err error) {
	folder, name, _ := strings.Cut(at, "/")
	switch folder {
	case "key":
		return c.key(ctx, at)
	case "owner-key", "role-key":
		c.hints[at] = true
		_, err = read[hint](ctx, c.storage, at)
	case "roster":
		c.rosters[at], err = read[roster](ctx, c.storage, at)
	case "static":
		c.names[name], err = c.records.KeyNamed(ctx, name)
	case "role":
		_, _, err = c.records.Role(ctx, name)
	case "owner":
		_, _, err = c.records.Owner(ctx, name)
	case "quota":
		c.counts = append(c.counts, at)
		_, _, err = c.records.Quota(ctx, path.Base(at))
	case "usage":
		return c.usage(ctx, at)
	case "honeytoken":
		return c.honeytoken(ctx, name)
	case "alert":
		return c.alert(ctx, name)
	case "config":
		_, err = c.records.Config(ctx)
	case "feed-term":
		return c.term(ctx, at)
	case "tag-key":
		_, err = c.records.TagKey(ctx)
	default:
		return errNotOurs
	}
	return err
}

// read reads an entry that package store shows to nobody.
func read[V any](ctx context.Context, storage logical.Storage, path string) (v V, err error) {
	entry, err := storage.Get(ctx, path)
	if err != nil || entry == nil {
		return v, err
	}
	stored := struct {
		Format int `json:"v"`
		Record V   `json:"record"`
	}{}
	if json.Unmarshal(entry.Value, &stored) != nil || stored.Format != record.Format {
		return v, errors.New("it cannot be read")
	}
	return stored.Record, nil
}
