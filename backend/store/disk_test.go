package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

var errDisk = errors.New("disk trouble")

// disk is storage in memory that writes down what is asked of it and fails on
// demand: before an operation takes effect, or after.
type disk struct {
	logical.InmemStorage
	before, after func(op, path string) error

	mu  sync.Mutex
	ops []string
}

func (d *disk) do(op, path string, run func() error) error {
	d.mu.Lock()
	d.ops = append(d.ops, op+" "+path)
	d.mu.Unlock()
	if d.before != nil {
		if err := d.before(op, path); err != nil {
			return err
		}
	}
	if err := run(); err != nil {
		return err
	}
	if d.after != nil {
		return d.after(op, path)
	}
	return nil
}

func (d *disk) Get(ctx context.Context, path string) (entry *logical.StorageEntry, err error) {
	err = d.do("get", path, func() error { entry, err = d.InmemStorage.Get(ctx, path); return err })
	if err != nil {
		return nil, err
	}
	return entry, nil
}

func (d *disk) List(ctx context.Context, path string) (names []string, err error) {
	err = d.do("list", path, func() error { names, err = d.InmemStorage.List(ctx, path); return err })
	return names, err
}

func (d *disk) Put(ctx context.Context, entry *logical.StorageEntry) error {
	return d.do("put", entry.Key, func() error { return d.InmemStorage.Put(ctx, entry) })
}

func (d *disk) Delete(ctx context.Context, path string) error {
	return d.do("delete", path, func() error { return d.InmemStorage.Delete(ctx, path) })
}

// counted is what was asked since the last call, of these operations.
func (d *disk) counted(ops ...string) (seen []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.ops {
		op, _, _ := strings.Cut(line, " ")
		for _, want := range ops {
			if op == want {
				seen = append(seen, line)
			}
		}
	}
	d.ops = nil
	return seen
}

// failing is a hook that fails operations of a kind on paths that begin so.
func failing(op, prefix string, err error) func(op, path string) error {
	return func(o, path string) error {
		if o == op && strings.HasPrefix(path, prefix) {
			return err
		}
		return nil
	}
}

func (d *disk) plant(t testing.TB, path, value string) {
	t.Helper()
	if err := d.InmemStorage.Put(context.Background(), &logical.StorageEntry{Key: path, Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
}

func (d *disk) holds(t testing.TB, path string) string {
	t.Helper()
	e, err := d.InmemStorage.Get(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if e == nil {
		return ""
	}
	return string(e.Value)
}

// all are the paths of all entries.
func (d *disk) all(t testing.TB) []string {
	t.Helper()
	paths, err := logical.CollectKeys(context.Background(), &d.InmemStorage)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

const (
	phc = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	now = record.Time(2000)
)

// idIn is an id that lies in this shard.
func idIn(shard string, n int) string { return fmt.Sprintf("%s%014d", shard, n) }

// keyOf is a key of role web, whose uid is u1, from 1000 to 5000.
func keyOf(id, owner string) record.Key {
	return record.Key{
		ID: id, Prefix: "vak", Role: "web", RoleUID: "u1", Owner: owner, CreatedAt: 1000,
		Versions: []record.Version{{Number: 1, Hash: keyhash.Stored(phc), CreatedAt: 1000, ExpiresAt: 5000, Until: 5000, Lifetime: 4000}},
	}
}

// mount is a store with role web and these keys of owner acme.
func mount(t testing.TB, ids ...string) (*disk, *store.Store) {
	t.Helper()
	d := &disk{}
	s := store.New(d)
	_, err := s.UpdateRole(context.Background(), "web", func(record.Role, bool) (record.Role, error) { return record.Role{UID: "u1"}, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := s.CreateKey(context.Background(), keyOf(id, "acme")); err != nil {
			t.Fatal(err)
		}
	}
	d.counted()
	return d, s
}

// check holds storage to be whole; leftovers are what a crash may leave.
func (d *disk) check(t testing.TB, leftovers int) {
	t.Helper()
	problems, err := store.Check(context.Background(), &d.InmemStorage, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Leftover {
			leftovers--
		} else {
			t.Errorf("storage is damaged: %s", p)
		}
	}
	if leftovers != 0 {
		t.Errorf("%d leftovers fewer than expected: %v", leftovers, problems)
	}
}

// endedAt is what a record alone says of its end.
func endedAt(at record.Time) func(record.Key) record.Time {
	return func(k record.Key) record.Time { return k.EndedAt(record.Standing{}, at) }
}

// ended tells of a record whether its key has ended under role web.
func ended(at record.Time) func(record.Key) (bool, error) {
	return func(k record.Key) (bool, error) {
		return k.Ended(record.Standing{Role: k.IssuedUnder(&record.Role{UID: "u1"})}, at), nil
	}
}
