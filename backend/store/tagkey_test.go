package store_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestAnEmptyMountGetsItsTagKeyOnce(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := store.New(d)
	if _, err := s.TagKey(t.Context()); !errors.Is(err, store.ErrNoTagKey) {
		t.Errorf("before, it answered %v", err)
	}
	if err := s.EnsureTagKey(t.Context(), bytes.NewReader(bytes.Repeat([]byte{7}, 32))); err != nil {
		t.Fatal(err)
	}
	first := d.Holds("tag-key")
	if want := `{"v":1,"record":{"secret":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}}`; first != want {
		t.Errorf("it wrote %s", first)
	}
	for _, again := range []*store.Store{s, store.New(d)} {
		if err := again.EnsureTagKey(t.Context(), rand.Reader); err != nil || d.Holds("tag-key") != first {
			t.Errorf("asked again it wrote another, %v", err)
		}
	}
	made, _ := apikey.NewTagKey(bytes.Repeat([]byte{7}, 32))
	key, err := apikey.Generate(rand.Reader, made, "vak", one, 1)
	if err != nil {
		t.Fatal(err)
	}
	if tk, err := s.TagKey(t.Context()); err != nil || !tk.Genuine(key) {
		t.Errorf("the tag key that it reads is another: %v", err)
	}
	check(t, d, 0)
}

func TestARoleAloneDoesNotStandInTheWay(t *testing.T) {
	t.Parallel()
	d, s := mount(t) // a role, written while the tag key could not be
	if err := s.EnsureTagKey(t.Context(), rand.Reader); err != nil {
		t.Error(err)
	}
	check(t, d, 0)
}

func TestATagKeyIsNeverMadeAnew(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		keys   []string
		stored string
		before func(op, path string) error
		rand   string
		want   error // nil for any
	}{
		"where keys exist":                {keys: []string{one}, rand: strings.Repeat("r", 32), want: store.ErrNoTagKey},
		"where it cannot be read":         {before: memory.On("get", "tag-key", errDisk), rand: strings.Repeat("r", 32), want: errDisk},
		"where keys cannot be looked for": {before: memory.On("list", "key/", errDisk), rand: strings.Repeat("r", 32), want: errDisk},
		"where it is damaged":             {stored: `{"v":1,"record":`, rand: strings.Repeat("r", 32)},
		"where it is too short":           {stored: `{"v":1,"record":{"secret":"AAAA"}}`, rand: strings.Repeat("r", 32)},
		"where it is of a later format":   {stored: `{"v":2,"record":{}}`, rand: strings.Repeat("r", 32)},
		"out of half the randomness":      {rand: "short"},
		"where it cannot be written":      {before: memory.On("put", "tag-key", errDisk), rand: strings.Repeat("r", 32), want: errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, tc.keys...)
			if tc.stored != "" {
				d.Plant("tag-key", tc.stored)
			}
			d.Intercept(memory.Before(tc.before))
			err := s.EnsureTagKey(t.Context(), strings.NewReader(tc.rand))
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || strings.Contains(err.Error(), "AAAA") {
				t.Errorf("it answered %v", err)
			}
			d.Intercept(nil)
			if got := d.Holds("tag-key"); got != tc.stored {
				t.Errorf("it wrote %s", got)
			}
			if _, err := s.TagKey(t.Context()); err == nil {
				t.Error("it found one all the same")
			}
		})
	}
}

func TestManyWhoMakeATagKeyMakeOne(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := store.New(d)
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			if err := s.EnsureTagKey(t.Context(), rand.Reader); err != nil {
				t.Error(err)
			}
		})
	}
	makers.Wait()
	if got := d.Noted("put"); !slices.Equal(got, []string{"put tag-key"}) {
		t.Errorf("it wrote %q", got)
	}
}
