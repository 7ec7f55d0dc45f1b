package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// writesOfCreate are in the order that a crash at any point must find.
var writesOfCreate = []string{
	"put owner/acme",
	"put role-key/web/u1-0/aa/" + one,
	"put owner-key/acme/aa/" + one,
	"put key/aa/" + one,
}

func TestANewKeyIsWrittenAfterItsHints(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	if err := s.CreateKey(t.Context(), keyOf(one, "acme")); err != nil {
		t.Fatal(err)
	}
	if got := d.Noted("put"); !slices.Equal(got, writesOfCreate) {
		t.Errorf("it wrote %q", got)
	}
	check(t, d, 0)
	if got, want := d.Holds("role-key/web/u1-0/aa/"+one), `{"v":1,"record":{"role":"web","expires_at":5000}}`; got != want {
		t.Errorf("the hint says %s", got)
	}
	if err := s.CreateKey(t.Context(), keyOf(idIn("ab", 2), "acme")); err != nil {
		t.Fatal(err)
	}
	if got := d.Noted("put"); slices.Contains(got, "put owner/acme") {
		t.Errorf("a second key wrote the owner again: %q", got)
	}
}

func TestAKeyWithoutOwnerHasNoneWritten(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	if err := s.CreateKey(t.Context(), keyOf(one, "")); err != nil {
		t.Fatal(err)
	}
	if got := d.Noted("put"); !slices.Equal(got, []string{writesOfCreate[1], writesOfCreate[3]}) {
		t.Errorf("it wrote %q", got)
	}
	check(t, d, 0)
}

func TestACrashWhileAKeyIsMadeLeavesHintsAtMost(t *testing.T) {
	t.Parallel()
	for i, write := range writesOfCreate {
		t.Run(write, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t)
			d.Intercept(memory.Before(memory.On("put", strings.TrimPrefix(write, "put "), errDisk)))
			if err := s.CreateKey(t.Context(), keyOf(one, "acme")); !errors.Is(err, errDisk) {
				t.Fatalf("it answered %v", err)
			}
			d.Intercept(nil)
			check(t, d, max(0, i-1)) // the owner is none
			if _, found, err := s.Key(t.Context(), one); found || err != nil {
				t.Errorf("the key is there: %v, %v", found, err)
			}
			if err := s.CreateKey(t.Context(), keyOf(one, "acme")); err != nil {
				t.Errorf("a second attempt answered %v", err)
			}
			check(t, d, 0)
		})
	}
}

func TestATakenIDOverwritesNothing(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	before := d.Holds("key/aa/" + one)
	other := keyOf(one, "mallory")
	if err := s.CreateKey(t.Context(), other); !errors.Is(err, store.ErrIDTaken) {
		t.Errorf("it answered %v", err)
	}
	if d.Holds("key/aa/"+one) != before {
		t.Error("the record was overwritten")
	}
	check(t, d, 0)
}

func TestAChangeIsOneWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id     string
		change func(k *record.Key) error
		err    error
		puts   []string
	}{
		"of a key that is there":                   {one, func(k *record.Key) error { k.Name = "new"; return nil }, nil, []string{"put key/aa/" + one}},
		"unless nothing changed":                   {one, func(*record.Key) error { return record.ErrUnchanged }, nil, nil},
		"unless it is refused":                     {one, func(k *record.Key) error { k.Name = "new"; return record.ErrKeyEnded }, record.ErrKeyEnded, nil},
		"unless there is no such key":              {idIn("aa", 2), func(*record.Key) error { return nil }, record.ErrKeyNotFound, nil},
		"unless the id is none":                    {"../config", func(*record.Key) error { return nil }, record.ErrKeyNotFound, nil},
		"unless the id is empty":                   {"", func(*record.Key) error { return nil }, record.ErrKeyNotFound, nil},
		"after its hints, when it may live longer": {one, func(k *record.Key) error { k.Versions[0].Until = 5001; return nil }, nil, writesOfCreate[1:]},
		"without its hints, when it ends earlier":  {one, func(k *record.Key) error { k.Versions[0].Until = 4999; return nil }, nil, writesOfCreate[3:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			_, err := s.UpdateKey(t.Context(), tc.id, tc.change)
			if !errors.Is(err, tc.err) {
				t.Errorf("it answered %v", err)
			}
			if got := d.Noted("put"); !slices.Equal(got, tc.puts) {
				t.Errorf("it wrote %q", got)
			}
			check(t, d, 0)
			if k, _, _ := s.Key(t.Context(), one); (k.Name == "new") != (tc.err == nil && name == "of a key that is there") {
				t.Errorf("then the name is %q", k.Name)
			}
		})
	}
}

func TestAChangeSeesWhatStorageHoldsNow(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	other := store.New(d) // a second writer, as after a failover
	if _, err := other.UpdateKey(t.Context(), one, func(k *record.Key) error { return k.Revoke("leaked", now) }); err != nil {
		t.Fatal(err)
	}
	k, err := s.UpdateKey(t.Context(), one, func(k *record.Key) error { return k.Revoke("again", now+1) })
	if err != nil || k.RevokeReason != "leaked" {
		t.Errorf("it answered %q, %v", k.RevokeReason, err)
	}
}

func TestAFailedChangeIsForgotten(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	d.Intercept(memory.Before(memory.On("put", "key/", errDisk)))
	if _, err := s.UpdateKey(t.Context(), one, func(k *record.Key) error { k.Name = "new"; return nil }); !errors.Is(err, errDisk) {
		t.Errorf("it answered %v", err)
	}
	d.Intercept(nil)
	if k, found, err := s.Key(t.Context(), one); k.Name != "" || !found || err != nil {
		t.Errorf("then the name is %q, %v, %v", k.Name, found, err)
	}
}

func TestChangesAtOnceLoseNone(t *testing.T) {
	t.Parallel()
	_, s := mount(t, one)
	const writers, each = 8, 25
	done := make(chan error)
	for range writers {
		go func() {
			var err error
			for range each {
				_, e := s.UpdateKey(context.Background(), one, func(k *record.Key) error { k.TTL++; return nil })
				err = errors.Join(err, e)
			}
			done <- err
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if k, _, _ := s.Key(t.Context(), one); k.TTL != writers*each {
		t.Errorf("%d of %d changes are left", k.TTL, writers*each)
	}
}

func TestADeletionRemovesTheRecordBeforeItsHints(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	deleted, err := s.DeleteKey(t.Context(), one, func(k *record.Key) bool { return k.Owner != "acme" })
	if err != nil || !deleted {
		t.Errorf("it answered %v, %v", deleted, err)
	}
	want := []string{"delete key/aa/" + one, "delete role-key/web/u1-0/aa/" + one, "delete owner-key/acme/aa/" + one, "delete quota/aa/" + one, "delete usage/key/aa/" + one}
	if got := d.Noted("delete"); !slices.Equal(got, want) {
		t.Errorf("it deleted %q", got)
	}
	check(t, d, 0)
}

func TestADeletionOfNothingIsNone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		id   string
		keep bool
	}{"a key that is not there": {idIn("aa", 2), false}, "no id": {"a", false}, "a path": {"../../config-----", false}, "a key that is kept": {one, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			if deleted, err := s.DeleteKey(t.Context(), tc.id, func(*record.Key) bool { return tc.keep }); deleted || err != nil {
				t.Errorf("it answered %v, %v", deleted, err)
			}
			if got := d.Noted("delete"); len(got) != 0 {
				t.Errorf("it deleted %q", got)
			}
		})
	}
}

func TestADeletionWhoseHintsStayIsOneAllTheSame(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	d.Intercept(memory.Before(memory.On("delete", "role-key/", errDisk)))
	if deleted, err := s.DeleteKey(t.Context(), one, func(*record.Key) bool { return false }); !deleted || err != nil {
		t.Errorf("it answered %v, %v", deleted, err)
	}
	check(t, d, 2)
}
