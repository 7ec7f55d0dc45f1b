package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestTheMarkTellsHowTheLastProcessEnded(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	takeOver := func(born record.Time) idle.Gaps {
		t.Helper()
		s = store.New(d)
		gaps, err := s.UsageGaps(t.Context(), born)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.TakeOverUsage(t.Context(), born); err != nil {
			t.Fatal(err)
		}
		if again, err := s.UsageGaps(t.Context(), born); err != nil || !slices.Equal(again, gaps) {
			t.Errorf("when its mark stands, %v have become %v, %v", gaps, again, err)
		}
		return gaps
	}
	if gaps := takeOver(1000); len(gaps) != 0 {
		t.Errorf("of a new mount it tells %v", gaps)
	}
	crashed := takeOver(2000)
	if want := (idle.Gaps{{From: 1000, Before: 2000}}); !slices.Equal(crashed, want) {
		t.Errorf("after a crash it tells %v", crashed)
	}
	if err := s.EndUsage(t.Context()); err != nil {
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
		if err := store.New(d).TakeOverUsage(t.Context(), 6000); !errors.Is(err, errDisk) {
			t.Errorf("with trouble it answered %v", err)
		}
	}
}

func TestAGapBeginsWithTheLastFlushThatSucceeded(t *testing.T) {
	t.Parallel()
	many := uses{}
	for n := range 6000 { // two deltas
		many[idIn(fmt.Sprintf("%02d", n%100), n)] = usedAt(1900)
	}
	some := uses{one: usedAt(1400)}
	second := memory.Before(memory.On("put", "usage/delta/3", errDisk))
	for name, tc := range map[string]struct {
		then func(t *testing.T, d *memory.Storage, s *store.Store)
		from record.Time
	}{
		"with uses":     {func(*testing.T, *memory.Storage, *store.Store) {}, 1500},
		"merged since":  {func(t *testing.T, _ *memory.Storage, s *store.Store) { compact(t, s) }, 1500},
		"a quiet while": {func(t *testing.T, _ *memory.Storage, s *store.Store) { flushAt(t, s, 1700, nil) }, 1500},
		"a longer one":  {func(t *testing.T, _ *memory.Storage, s *store.Store) { flushAt(t, s, 1800, nil) }, 1800},
		"a part of one": {func(t *testing.T, d *memory.Storage, s *store.Store) {
			d.Intercept(second)
			if add(s, many); s.WriteUsage(t.Context(), 1950) == nil {
				t.Error("all was written")
			}
			d.Intercept(nil)
		}, 1500},
		"another that failed": {func(t *testing.T, d *memory.Storage, s *store.Store) {
			d.Intercept(memory.Before(memory.On("put", "usage/", errDisk)))
			if add(s, some); s.WriteUsage(t.Context(), 1950) == nil {
				t.Error("it was written")
			}
			d.Intercept(nil)
		}, 1500},
		"its mark damaged":       {func(_ *testing.T, d *memory.Storage, _ *store.Store) { d.Plant("usage/mark", "no") }, 1500},
		"a clock that was ahead": {func(t *testing.T, _ *memory.Storage, s *store.Store) { flushAt(t, s, 90_000, nil) }, 9970},
		"one that was set back": {func(t *testing.T, _ *memory.Storage, s *store.Store) {
			flushAt(t, s, 90_000, nil)
			flushAt(t, s, 2000, nil)
		}, 2000},
	} {
		d, s := mount(t, one)
		if err := s.TakeOverUsage(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		flushAt(t, s, 1500, some)
		tc.then(t, d, s)
		gaps, err := store.New(d).UsageGaps(t.Context(), 10_000)
		if want := (idle.Gaps{{From: tc.from, Before: 10_000}}); err != nil || !slices.Equal(gaps, want) {
			t.Errorf("%s: it tells %v, %v, want %v", name, gaps, err, want)
		}
	}
}

func flushAt(t *testing.T, s *store.Store, now record.Time, of uses) {
	t.Helper()
	add(s, of)
	if err := s.WriteUsage(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}
