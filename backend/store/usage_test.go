package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func usesOf(at record.Time) record.Uses { return record.Uses{{Version: 1, At: at}} }

func merge(t *testing.T, s *store.Store, uses map[string]record.Uses) map[string]record.Uses {
	t.Helper()
	merged, err := s.MergeUses(t.Context(), uses)
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

func TestLastUsesOfManyKeysShareAnEntry(t *testing.T) {
	t.Parallel()
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	d, s := mount(t)
	all := map[string]record.Uses{}
	for _, a := range alphabet {
		for _, b := range alphabet {
			all[idIn(string([]rune{a, b}), 1)] = usesOf(1500)
		}
	}
	merge(t, s, all)
	puts := d.Noted("put")
	slices.Sort(puts)
	if len(puts) != 241 || puts[0] != "put usage/000" || puts[240] != "put usage/240" {
		t.Errorf("of 3,844 folders there are %d entries, from %s to %s", len(puts), puts[0], puts[len(puts)-1])
	}
	for id := range all {
		if u, err := s.Uses(t.Context(), id); err != nil || u.Of(1) != 1500 {
			t.Fatalf("of %s is read %v, %v", id, u, err)
		}
	}
	check(t, d, 0)
}

func TestUsesAreMergedAndNeverMoveBack(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	other := idIn("aa", 2)
	merge(t, s, map[string]record.Uses{one: usesOf(1500), other: usesOf(1600)})
	d.Noted()
	merged := merge(t, s, map[string]record.Uses{one: {{Version: 2, At: 1400}, {Version: 1, At: 1450}}})
	if want := (record.Uses{{Version: 2, At: 1400}, {Version: 1, At: 1500}}); !slices.Equal(merged[one], want) || len(merged) != 1 {
		t.Errorf("it answered %v", merged)
	}
	if got := d.Noted("get", "put"); len(got) != 2 {
		t.Errorf("it asked %q", got)
	}
	if u, err := s.Uses(t.Context(), other); err != nil || u.Of(1) != 1600 {
		t.Errorf("of its neighbour is read %v, %v", u, err)
	}
}

func TestNeighboursAreReadOnce(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	merge(t, s, map[string]record.Uses{one: usesOf(1500)})
	read := func(id string) {
		t.Helper()
		if _, err := s.Uses(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	d.Noted()
	for n := range 50 {
		read(idIn("aa", n))
	}
	if got := d.Noted("get"); len(got) != 1 {
		t.Errorf("fifty neighbours were read with %q", got)
	}
	s.Invalidate("usage/000")
	read(one)
	merge(t, s, map[string]record.Uses{one: usesOf(1600)})
	d.Noted()
	if u, _ := s.Uses(t.Context(), one); u.Of(1) != 1600 {
		t.Errorf("after a merge it is %v", u)
	}
}

func TestTroubleWithOneEntryOfUsesHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	uses := map[string]record.Uses{}
	for i := range 40 {
		uses[idIn(fmt.Sprintf("%dA", i%10), i)] = usesOf(1500) // those of 1A are in usage/004
	}
	for name, hook := range map[string]func(op, path string) error{
		"reading": memory.On("get", "usage/004", errDisk), "writing": memory.On("put", "usage/004", errDisk),
		"a panic": func(op, path string) error {
			if op == "put" && path == "usage/004" {
				panic("with a secret")
			}
			return nil
		},
	} {
		d.Intercept(memory.Before(hook))
		merged, err := s.MergeUses(t.Context(), uses)
		d.Intercept(nil)
		if err == nil || strings.Contains(err.Error(), "secret") || name != "a panic" && !errors.Is(err, errDisk) {
			t.Errorf("with %s it answered %v", name, err)
		}
		for id := range uses {
			if _, written := merged[id]; written == strings.HasPrefix(id, "1A") {
				t.Errorf("with %s, %s was written: %v", name, id, written)
			}
		}
	}
}

func TestASweepRemovesTheUsesOfKeysThatAreGone(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	gone, far := idIn("aa", 7), idIn("zz", 7)
	merge(t, s, map[string]record.Uses{one: usesOf(1500), gone: usesOf(1500), far: usesOf(1500)})
	if _, err := s.TakeOverUsage(t.Context(), 1000, 30); err != nil {
		t.Fatal(err)
	}
	steps := 0
	if _, err := s.SweepUsage(t.Context(), func() { steps++ }, asTheyAre); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]record.Time{one: 1500, gone: 0, far: 0} {
		if u, err := s.Uses(t.Context(), id); err != nil || u.Of(1) != want {
			t.Errorf("of %s is left %v, %v", id, u, err)
		}
	}
	if d.Holds("usage/240") != "" || d.Holds("usage/mark") == "" || steps != 3 {
		t.Errorf("left are %q after %d steps", d.Paths(), steps)
	}
	d.Noted()
	if _, err := s.SweepUsage(t.Context(), func() {}, asTheyAre); err != nil || len(d.Noted("put", "delete")) != 0 {
		t.Errorf("a second sweep wrote, %v", err)
	}
	for _, hook := range []func(op, path string) error{memory.On("list", "usage/", errDisk), memory.On("get", "usage/", errDisk), memory.On("get", "key/", errDisk)} {
		s.Invalidate("key/aa/" + one)
		d.Intercept(memory.Before(hook))
		if _, err := s.SweepUsage(t.Context(), func() {}, asTheyAre); !errors.Is(err, errDisk) {
			t.Errorf("with trouble it answered %v", err)
		}
		d.Intercept(nil)
	}
}

// A use that is flushed while the sweep looks at the keys is kept.
func TestASweepLosesNoUseThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	_, s := mount(t, one)
	gone := idIn("aa", 7)
	merge(t, s, map[string]record.Uses{one: usesOf(1500), gone: usesOf(1500)})
	_, err := s.SweepUsage(t.Context(), func() { merge(t, s, map[string]record.Uses{one: usesOf(1700)}) }, asTheyAre)
	if u, _ := s.Uses(t.Context(), one); err != nil || u.Of(1) != 1700 {
		t.Errorf("it is %v, %v", u, err)
	}
}

func TestTheMarkTellsHowTheLastProcessEnded(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	takeOver := func(born record.Time) record.UsageGaps {
		t.Helper()
		gaps, err := s.TakeOverUsage(t.Context(), born, 30)
		if err != nil {
			t.Fatal(err)
		}
		return gaps
	}
	if gaps := takeOver(1000); len(gaps) != 0 {
		t.Errorf("of a new mount it tells %v", gaps)
	}
	crashed := takeOver(2000)
	if want := (record.UsageGaps{{Before: 2000, Slack: 30}}); !slices.Equal(crashed, want) {
		t.Errorf("after a crash it tells %v", crashed)
	}
	if err := s.EndUsage(t.Context(), crashed); err != nil {
		t.Fatal(err)
	}
	if gaps := takeOver(3000); !slices.Equal(gaps, crashed) {
		t.Errorf("after an orderly end it tells %v", gaps)
	}
	if gaps := takeOver(4000); len(gaps) != 2 || gaps[1].Before != 4000 {
		t.Errorf("after another crash it tells %v", gaps)
	}
	d.Plant("usage/mark", `no`)
	if gaps := takeOver(5000); len(gaps) != 1 || gaps[0].Before != 5000 {
		t.Errorf("after the mark was damaged it tells %v", gaps)
	}
	for _, hook := range []func(op, path string) error{memory.On("get", "usage/mark", errDisk), memory.On("put", "usage/mark", errDisk)} {
		d.Intercept(memory.Before(hook))
		if _, err := s.TakeOverUsage(t.Context(), 6000, 30); !errors.Is(err, errDisk) {
			t.Errorf("with trouble it answered %v", err)
		}
	}
}

// asTheyAre dates nothing anew.
func asTheyAre(t record.Time) record.Time { return t }
