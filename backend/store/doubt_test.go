package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// A write that failed may take effect after it was told, and after who was told has
// asked. Whoever repeats the operation is answered that it is done, so that is told.
func TestWhatTookEffectLateIsToldWhereItIsAcknowledged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(ctx context.Context, s *store.Store) error
		want string
	}{
		"a revocation": {func(ctx context.Context, s *store.Store) error {
			_, err := s.EndKey(ctx, one, func(k *record.Key) error { return k.Revoke("", now) })
			return err
		}, "key " + one},
		"a deletion": {func(ctx context.Context, s *store.Store) error {
			_, err := s.DeleteKey(ctx, one, func(*record.Key) bool { return false })
			return err
		}, "key " + one},
		"the deletion of a role": {func(ctx context.Context, s *store.Store) error {
			return s.DeleteRole(ctx, "web", 5000, underWeb)
		}, "role web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			var told []string
			s.OnChange(func(kind store.Kind, name string) { told = append(told, string(kind)+" "+name) })
			late := func() {}
			d.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
				if c.Changes() && !strings.HasPrefix(c.Path, "usage/") {
					late = effect
					return errDisk
				}
				effect()
				return nil
			})
			if err := tc.do(t.Context(), s); err == nil {
				t.Fatal("a write that failed is answered as done")
			}
			d.Intercept(nil)
			late()
			told = nil
			for range 2 {
				if err := tc.do(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(told, []string{tc.want, tc.want}) {
				t.Errorf("it told %q", told)
			}
		})
	}
}

func TestAWriteThatSucceedsEndsTheDoubt(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	d.Intercept(memory.Before(memory.On("put", "key/", errDisk)))
	revoke := func() error {
		_, err := s.EndKey(t.Context(), one, func(k *record.Key) error { return k.Revoke("", now) })
		return err
	}
	failed := revoke()
	d.Intercept(nil)
	if err := revoke(); err != nil || failed == nil {
		t.Fatal(err, failed)
	}
	s.OnChange(func(kind store.Kind, name string) { t.Errorf("it told %s %s", kind, name) })
	if err := revoke(); err != nil {
		t.Fatal(err)
	}
}

// With more doubts than are remembered every name is in doubt.
func TestNoDoubtIsForgotten(t *testing.T) {
	t.Parallel()
	ids := make([]string, 4098)
	for i := range ids {
		ids[i] = idIn("aa", i)
	}
	d, s := mount(t, ids...)
	d.Intercept(memory.Before(memory.On("put", "key/", errDisk)))
	for _, id := range ids[:4097] {
		if _, err := s.EndKey(t.Context(), id, func(k *record.Key) error { return k.Revoke("", now) }); err == nil {
			t.Fatal("it was written")
		}
	}
	told := ""
	s.OnChange(func(kind store.Kind, name string) { told += fmt.Sprint(kind, name) })
	for _, id := range ids[4096:] {
		if _, err := s.EndKey(t.Context(), id, func(*record.Key) error { return record.ErrUnchanged }); err != nil {
			t.Fatal(err)
		}
	}
	if told != "key"+ids[4096]+"key"+ids[4097] {
		t.Errorf("it told %q", told)
	}
}
