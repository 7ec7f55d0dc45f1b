package record_test

import (
	"fmt"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestTheLastPrefixIsThatOfNewKeys(t *testing.T) {
	t.Parallel()
	var p record.Prefixes
	if p.Last("a") || !slices.Equal(p.With("a"), []string{"a"}) {
		t.Errorf("none were used, and yet %+v", p)
	}
	for i, prefix := range []string{"a", "b", "c", "a"} {
		before := p
		if err := p.Use(prefix); err != nil || !p.Last(prefix) || p.Turns != uint64(i+1) {
			t.Fatalf("after %s: %+v, %v", prefix, p, err)
		}
		if before.Last(prefix) {
			t.Error("using one changed a copy")
		}
	}
	if !slices.Equal(p.Used, []string{"b", "c", "a"}) || !slices.Equal(p.With("new"), []string{"new", "b", "c", "a"}) || !slices.Equal(p.With("b"), []string{"b", "c", "a"}) {
		t.Errorf("they are %+v", p)
	}
	before := p
	if !p.Drop(func(prefix string) bool { return prefix == "c" }) || !slices.Equal(p.Used, []string{"c", "a"}) || !slices.Equal(before.Used, []string{"b", "c", "a"}) {
		t.Errorf("left are %+v of %+v", p, before)
	}
	if p.Drop(func(string) bool { return true }) || !p.Drop(func(string) bool { return false }) || !slices.Equal(p.Used, []string{"a"}) {
		t.Errorf("left are %+v", p)
	}
}

func TestARoleRemembersABoundedNumberOfPrefixes(t *testing.T) {
	t.Parallel()
	var p record.Prefixes
	for i := range 32 {
		if err := p.Use(fmt.Sprintf("p%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Use("more"); err != record.ErrTooManyPrefixes || len(p.Used) != 32 {
		t.Errorf("one more: %v", err)
	}
	if err := p.Use("p0"); err != nil || !p.Last("p0") {
		t.Errorf("back to the first: %v", err)
	}
}
