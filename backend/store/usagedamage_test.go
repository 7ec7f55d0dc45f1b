package store_test

import (
	"errors"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// TestADamagedDeltaIsGivenUpByTidy and everything else is known again. Without that all
// usage, and so every key under an idle_timeout, would be an error for ever.
func TestADamagedDeltaIsGivenUpByTidy(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	for _, at := range []record.Time{1500, 1600, 1700} {
		add(s, uses{one: usedAt(at)})
		if err := s.WriteUsage(t.Context(), at+10); err != nil {
			t.Fatal(err)
		}
	}
	d.Plant("usage/delta/2", "no")
	for _, hook := range []string{"put", "delete"} { // trouble leaves it as it is
		s = store.New(d)
		d.Intercept(memory.Before(memory.On(hook, "usage/", errDisk)))
		if n, err := s.DropDamagedUsage(t.Context(), 2000); n != 0 || !errors.Is(err, errDisk) {
			t.Errorf("with trouble it dropped %d, %v", n, err)
		}
		d.Intercept(nil)
	}
	s = store.New(d)
	if n, err := s.DropDamagedUsage(t.Context(), 2000); n != 1 || err != nil {
		t.Errorf("it dropped %d, %v", n, err)
	}
	wantUses(t, "then", map[string]record.Time{one: 1700}, s, store.New(d))
	if u, err := s.Usage(t.Context(), record.Mount); err != nil || u.Codes.Total() != 2 {
		t.Errorf("counted are %v, %v", u.Codes, err)
	}
	compact(t, s)
	if n, err := s.DropDamagedUsage(t.Context(), 2000); n != 0 || err != nil {
		t.Errorf("again it dropped %d, %v", n, err)
	}
	for _, s := range []*store.Store{s, store.New(d)} {
		gaps, err := s.UsageGaps(t.Context(), 3000)
		if err != nil || gaps.Credit(1510, 100) < 2000 || gaps.Credit(1400, 100) != 1400 {
			t.Errorf("the gaps are %v, %v: a key that was in use then may have been used until now", gaps, err)
		}
	}
}

func TestADeltaOfAnotherVersionIsNotGivenUp(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	flush(t, s, uses{one: usedAt(1500)})
	const other = `{"v":2,"record":{}}`
	d.Plant("usage/delta/1", other)
	s = store.New(d)
	if n, err := s.DropDamagedUsage(t.Context(), 2000); n != 0 || err != nil || d.Holds("usage/delta/1") != other {
		t.Errorf("it dropped %d, %v", n, err)
	}
	if _, err := s.Usage(t.Context(), record.OfKey(one)); !errors.Is(err, store.ErrUnreadable) {
		t.Errorf("it answered %v", err)
	}
}
