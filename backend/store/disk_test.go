package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/inspect"
	"vault-plugin-secrets-apikeys/trials/memory"
)

var errDisk = errors.New("disk trouble")

// newDisk is empty storage that notes what is asked of it.
func newDisk() *memory.Storage {
	d := memory.New()
	d.Noted()
	return d
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
func mount(t testing.TB, ids ...string) (*memory.Storage, *store.Store) {
	t.Helper()
	d := newDisk()
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
	d.Noted()
	return d, s
}

// check holds storage to be whole; leftovers are what a crash may leave.
func check(t testing.TB, d *memory.Storage, leftovers int) {
	t.Helper()
	problems, err := inspect.Mount(context.Background(), d.Clone(), now)
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

// underWeb is what the state of a key depends on where there is role web and
// nothing else.
func underWeb(k *record.Key) (record.Standing, error) {
	return record.Standing{Role: k.IssuedUnder(&record.Role{UID: "u1"})}, nil
}
