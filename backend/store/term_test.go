package store_test

import (
	"errors"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

const suffix, other = "0123456789abcdef", "fedcba9876543210"

func TestATermIsAboveAllThatStorageKnowsOf(t *testing.T) {
	t.Parallel()
	d := newDisk()
	for _, tc := range []struct {
		stored string
		want   uint64
	}{
		{"", 1000},
		{`{"v":1,"record":{"number":7,"suffix":"` + other + `"}}`, 1000},
		{`{"v":1,"record":{"number":1000,"suffix":"` + other + `"}}`, 1001},
		{`{"v":1,"record":{"number":5000,"suffix":"` + other + `"}}`, 5001},
		{`{"v":1,"record":{"number":0,"suffix":""}}`, 1000},
		{`{"v":9}`, 1000},
	} {
		if d.Lose("feed-term"); tc.stored != "" {
			d.Plant("feed-term", tc.stored)
		}
		term, err := store.New(d).NextTerm(t.Context(), 1000, suffix)
		if err != nil || term != tc.want || !strings.Contains(d.Holds("feed-term"), suffix) {
			t.Errorf("after %s the term is %d, %v, and storage holds %s", tc.stored, term, err, d.Holds("feed-term"))
		}
	}
}

// The write of a term that storage holds already says that this node may write. One that
// failed says nothing, though storage holds what it was to hold.
func TestATermIsHeldByAWriteAndNothingElse(t *testing.T) {
	t.Parallel()
	d := newDisk()
	s := store.New(d)
	term, err := s.NextTerm(t.Context(), 1000, suffix)
	if err != nil {
		t.Fatal(err)
	}
	holds := func() error { return s.HoldTerm(t.Context(), term, suffix) }
	held, writes := d.Holds("feed-term"), d.Writes()
	if err := holds(); err != nil || d.Writes() != writes+1 || d.Holds("feed-term") != held {
		t.Errorf("a term that is held is %v, with %d writes", err, d.Writes()-writes)
	}
	for what, hook := range map[string]memory.Intercept{
		"read":                   memory.Before(memory.On("get", "", memory.ErrStorage)),
		"written":                memory.Before(memory.On("put", "", memory.ErrStorage)),
		"answered that it wrote": memory.After(memory.On("put", "", memory.ErrStorage)),
	} {
		d.Intercept(hook)
		if err := holds(); !errors.Is(err, memory.ErrStorage) {
			t.Errorf("where nothing can be %s a term is held: %v", what, err)
		}
		d.Intercept(nil)
	}
	for _, gone := range []string{"", `{"v":9}`, `{"v":1,"record":{"number":7,"suffix":"` + other + `"}}`} { // of a snapshot
		if d.Lose("feed-term"); gone != "" {
			d.Plant("feed-term", gone)
		}
		if err := holds(); err != nil || d.Holds("feed-term") != held {
			t.Errorf("after %s it is %v, and storage holds %s", gone, err, d.Holds("feed-term"))
		}
	}
	for _, later := range []string{`{"v":1,"record":{"number":1000,"suffix":"` + other + `"}}`, `{"v":1,"record":{"number":1001,"suffix":"` + suffix + `"}}`} {
		d.Plant("feed-term", later)
		if err := holds(); err == nil || d.Holds("feed-term") != later {
			t.Errorf("beside %s it is held, and storage holds %s", later, d.Holds("feed-term"))
		}
	}
}
