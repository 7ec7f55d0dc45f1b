package store_test

import (
	"errors"
	"slices"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/trials/memory"
)

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
