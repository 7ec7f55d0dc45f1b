package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

const one = "aa00000000000001"

// errReadOnly is Vault's refusal as it comes out of another process: a text.
var errReadOnly = errors.New("rpc error: code = Unknown desc = " + logical.ErrReadOnly.Error())

func TestAFailedWriteIsSettledByReadingBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hook  memory.Intercept
		fails bool
		holds bool // that storage holds the new value
		reads int  // before and after the write
	}{
		"it worked":                                    {holds: true, reads: 1},
		"it took effect although it failed":            {hook: memory.After(memory.On("put", "config", errDisk)), holds: true, reads: 2},
		"it did not take effect":                       {hook: memory.Before(memory.On("put", "config", errDisk)), fails: true, reads: 2},
		"it was refused on a standby":                  {hook: memory.Before(memory.On("put", "config", errReadOnly)), fails: true, reads: 1},
		"it took effect, but that cannot be found out": {hook: memory.After(failAll()), fails: true, holds: true, reads: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk()
			d.Intercept(tc.hook)
			s := store.New(d)
			_, err := s.UpdateConfig(t.Context(), func(c *record.Config) error { c.DefaultPrefix = "new"; return nil })
			if (err != nil) != tc.fails {
				t.Errorf("it answered %v", err)
			}
			if got := len(d.Noted("get")); got != tc.reads {
				t.Errorf("it read %d times", got)
			}
			d.Intercept(nil)
			want := "vak"
			if tc.holds {
				want = "new"
			}
			if c, err := s.Config(t.Context()); err != nil || c.DefaultPrefix != want {
				t.Errorf("then the configuration reads %q, %v", c.DefaultPrefix, err)
			}
		})
	}
}

// failAll fails from the first write on, after it took effect.
func failAll() func(op, path string) error {
	failed := false
	return func(op, _ string) error {
		if failed = failed || op == "put" || op == "delete"; failed {
			return errDisk
		}
		return nil
	}
}

func TestAFailedDeleteIsSettledByReadingBack(t *testing.T) {
	t.Parallel()
	record1 := "key/aa/" + one
	for name, tc := range map[string]struct {
		hook        memory.Intercept
		fails, gone bool
	}{
		"it worked":                                    {gone: true},
		"it took effect although it failed":            {hook: memory.After(memory.On("delete", record1, errDisk)), gone: true},
		"it did not take effect":                       {hook: memory.Before(memory.On("delete", record1, errDisk)), fails: true},
		"it was refused on a standby":                  {hook: memory.Before(memory.On("delete", record1, errReadOnly)), fails: true},
		"it took effect, but that cannot be found out": {hook: memory.After(failAll()), fails: true, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			d.Intercept(tc.hook)
			deleted, err := s.DeleteKey(t.Context(), one, func(*record.Key) bool { return false })
			if (err != nil) != tc.fails || deleted == tc.fails {
				t.Errorf("it answered %v, %v", deleted, err)
			}
			d.Intercept(nil)
			if _, found, err := s.Key(t.Context(), one); found == tc.gone || err != nil {
				t.Errorf("then it is found: %v, %v", found, err)
			}
		})
	}
}

func TestACallerWhoHungUpDoesNotSpoilTheReadBack(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	d := newDisk()
	d.Intercept(memory.After(func(op, _ string) error {
		if op == "put" {
			hangUp()
			return ctx.Err()
		}
		return nil
	}))
	if _, err := store.New(d).UpdateConfig(ctx, func(*record.Config) error { return nil }); err != nil {
		t.Errorf("a write that took effect answered %v", err)
	}
}

func TestWhatIsReadOnly(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		nil: false, errDisk: false, logical.ErrReadOnly: true, errReadOnly: true, fmt.Errorf("write x: %w", errReadOnly): true,
	} {
		if store.IsReadOnly(err) != want {
			t.Errorf("%v is read-only: %v", err, !want)
		}
	}
}

// readers are all ways to read one kind of record, and where it lies.
var readers = map[string]func(s *store.Store, ctx context.Context) error{
	"key/aa/" + one: func(s *store.Store, ctx context.Context) error { _, _, err := s.Key(ctx, one); return err },
	"role/web":      func(s *store.Store, ctx context.Context) error { _, _, err := s.Role(ctx, "web"); return err },
	"config":        func(s *store.Store, ctx context.Context) error { _, err := s.Config(ctx); return err },
	"tag-key":       func(s *store.Store, ctx context.Context) error { _, err := s.TagKey(ctx); return err },
}

func TestWhatCannotBeReadIsAnErrorWithoutItsContent(t *testing.T) {
	t.Parallel()
	const canary = "$argon2id$CANARY"
	for what, stored := range map[string]string{
		"an unknown format": `{"v":2,"record":{"id":"` + canary + `"}}`,
		"no format":         `{"record":{"id":"` + canary + `"}}`,
		"another type":      `{"v":1,"record":["` + canary + `"]}`,
		"half of a record":  `{"v":1,"record":{"id":"` + canary,
		"no record":         `{"v":1}`,
		"null":              `{"v":1,"record":null}`,
		"an empty record":   `{"v":1,"record":{}}`,
		"a few parts":       `{"v":1,"record":{"id":"` + canary + `","role":"web","role_uid":"x","description":"x","default_prefix":"x"}}`,
		"text":              canary,
		"nothing":           ``,
	} {
		for path, read := range readers {
			t.Run(what+" in "+path, func(t *testing.T) {
				t.Parallel()
				d := newDisk()
				d.Plant(path, stored)
				err := read(store.New(d), t.Context())
				if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "CANARY") {
					t.Errorf("it answered %v", err)
				}
			})
		}
	}
}

func TestTroubleWithReadingIsAnErrorAndNotAbsence(t *testing.T) {
	t.Parallel()
	for path, read := range readers {
		d := newDisk()
		d.Intercept(memory.Before(memory.On("get", path, errDisk)))
		s := store.New(d)
		if err := read(s, t.Context()); !errors.Is(err, errDisk) {
			t.Errorf("%s answered %v", path, err)
		}
		d.Intercept(nil)
		if path == "tag-key" {
			continue
		}
		if err := read(s, t.Context()); err != nil {
			t.Errorf("%s remembers the trouble: %v", path, err)
		}
	}
}
