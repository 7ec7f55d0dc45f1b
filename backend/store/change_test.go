package store_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// writes are all ways to write what decisions are made by, what of it is told, and
// the entry that is written.
var writes = map[string]struct {
	do   func(ctx context.Context, s *store.Store) error
	want []string
	path string
}{
	"a change of a key": {func(ctx context.Context, s *store.Store) error {
		_, err := s.UpdateKey(ctx, one, func(k *record.Key) error { k.Name = "new"; return nil })
		return err
	}, []string{"key " + one}, "key/"},
	"the end of a key": {func(ctx context.Context, s *store.Store) error {
		_, err := s.EndKey(ctx, one, func(k *record.Key) error { return k.Revoke("", now) })
		return err
	}, []string{"key " + one}, "key/"},
	"a deletion of a key": {func(ctx context.Context, s *store.Store) error {
		_, err := s.DeleteKey(ctx, one, func(*record.Key) bool { return false })
		return err
	}, []string{"key " + one}, "key/"},
	"a renewal": {func(ctx context.Context, s *store.Store) error {
		_, err := s.RenewKey(ctx, one, func(k *record.Key) error { k.Versions[0].ExpiresAt++; return nil })
		return err
	}, []string{"revised " + one}, "key/"},
	"a renewal to an earlier end": {func(ctx context.Context, s *store.Store) error {
		_, err := s.RenewKey(ctx, one, func(k *record.Key) error { k.Versions[0].ExpiresAt--; return nil })
		return err
	}, []string{"key " + one}, "key/"},
	"what was judged already": {func(ctx context.Context, s *store.Store) error {
		_, err := s.SettleKey(ctx, one, func(k *record.Key) error { k.OrphanedAt = now; return nil })
		return err
	}, []string{"revised " + one}, "key/"},
	"a hash that is forgotten": {func(ctx context.Context, s *store.Store) error {
		_, err := s.SettleKey(ctx, one, func(k *record.Key) error { k.Versions[0].Hash = keyhash.PHC{}; return nil })
		return err
	}, nil, "key/"},
	"a renewal that is refused": {func(ctx context.Context, s *store.Store) error {
		_, err := s.RenewKey(ctx, one, func(k *record.Key) error { k.Versions[0].ExpiresAt++; return record.ErrUnchanged })
		return err
	}, nil, ""},
	"prefixes of a role": {func(ctx context.Context, s *store.Store) error {
		return s.UpdatePrefixes(ctx, "web", "u1", func(p *record.Prefixes) error { return p.Use("other") })
	}, nil, "role/"},
	"a change of a role": {func(ctx context.Context, s *store.Store) error {
		_, err := s.UpdateRole(ctx, "web", func(r record.Role, _ bool) (record.Role, error) { r.Disabled = true; return r, nil })
		return err
	}, []string{"role web"}, "role/"},
	"a new role": {func(ctx context.Context, s *store.Store) error {
		_, err := s.UpdateRole(ctx, "new", func(record.Role, bool) (record.Role, error) { return record.Role{UID: "u2"}, nil })
		return err
	}, []string{"role new"}, "role/"},
	"a stop of a role": {func(ctx context.Context, s *store.Store) error {
		_, err := s.StopRole(ctx, "web", "", now, "", record.Role{})
		return err
	}, []string{"role web"}, "role/"},
	"a deletion of a role": {func(ctx context.Context, s *store.Store) error {
		return s.DeleteRole(ctx, "web", 5000, underWeb)
	}, []string{"role web"}, "role/"},
	"a stop of an owner": {func(ctx context.Context, s *store.Store) error {
		_, err := s.StopOwner(ctx, "acme", "", now, "")
		return err
	}, []string{"owner acme"}, "owner/"},
	"the configuration": {func(ctx context.Context, s *store.Store) error {
		_, err := s.UpdateConfig(ctx, func(c *record.Config) error { c.DefaultPrefix = "new"; return nil })
		return err
	}, []string{"config "}, "config"},
	"a new key of a new owner": {func(ctx context.Context, s *store.Store) error {
		return s.CreateKey(ctx, keyOf(idIn("ab", 1), "umbrella"))
	}, nil, "key/"},
	"a hash of another cost": {func(ctx context.Context, s *store.Store) error {
		_, err := s.RehashKey(ctx, one, func(k *record.Key) error { k.TTL++; return nil })
		return err
	}, nil, "key/"},
	"the removal of a key that ended": {func(ctx context.Context, s *store.Store) error {
		_, err := s.RemoveKey(ctx, one, func(*record.Key) bool { return false })
		return err
	}, nil, "key/"},
	"a change that is none": {func(ctx context.Context, s *store.Store) error {
		_, err := s.UpdateKey(ctx, one, func(*record.Key) error { return record.ErrUnchanged })
		return err
	}, nil, ""},
}

func TestEachWriteIsToldOnceStorageHasIt(t *testing.T) {
	t.Parallel()
	for name, tc := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := mount(t, one)
			var told []string
			s.OnChange(func(kind store.Kind, name string) {
				if len(d.Noted("put", "delete")) == 0 {
					t.Error("it was told before storage had it")
				}
				told = append(told, string(kind)+" "+name)
			})
			if err := tc.do(t.Context(), s); err != nil || !slices.Equal(told, tc.want) {
				t.Errorf("it told %q, %v", told, err)
			}
		})
	}
}

func TestAWriteThatFailedIsToldToo(t *testing.T) {
	t.Parallel()
	for name, tc := range writes {
		for _, op := range []string{"put", "delete"} {
			d, s := mount(t, one)
			var told []string
			s.OnChange(func(kind store.Kind, name string) { told = append(told, string(kind)+" "+name) })
			d.Intercept(memory.Before(memory.On(op, tc.path, errDisk)))
			err := tc.do(t.Context(), s)
			if tc.path != "" && !slices.Equal(told, tc.want) {
				t.Errorf("%s with a failed %s answered %v and told %q", name, op, err, told)
			}
		}
	}
}

// Who reads after the call gets what was written: nobody else writes in between.
func TestAChangeIsToldUnderTheLockOfItsWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := mount(t, one)
		var told int
		second := make(chan struct{})
		s.OnChange(func(store.Kind, string) {
			if told++; told > 1 {
				return
			}
			if k, _, err := s.Key(t.Context(), one); k.Name != "first" || err != nil {
				t.Errorf("the name is %q, %v", k.Name, err)
			}
			go func() {
				defer close(second)
				_, err := s.EndKey(t.Context(), one, func(k *record.Key) error { k.Name = "second"; return nil })
				if err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			select {
			case <-second:
				t.Error("another wrote meanwhile")
			default:
			}
		})
		if _, err := s.UpdateKey(t.Context(), one, func(k *record.Key) error { k.Name = "first"; return nil }); err != nil {
			t.Error(err)
		}
		<-second
		if told != 2 {
			t.Errorf("%d were told", told)
		}
	})
}

func TestWhatAnotherNodeWroteIsTold(t *testing.T) {
	t.Parallel()
	_, s := mount(t)
	var told []string
	s.OnChange(func(kind store.Kind, name string) { told = append(told, string(kind)+" "+name) })
	for path, want := range map[string]string{
		"key/aa/" + one: "key " + one, "role/web": "role web", "owner/acme": "owner acme", "config": "all ", "quota/aa/" + one: "quota " + one,
		"usage/delta/1": "usage ", "usage/mark": "usage ", "tag-key": "all ", "what comes later/x": "all ", "feed-term": "",
		"owner-key/acme/aa/" + one: "", "role-key/web/u1-0/aa/" + one: "", "roster/acme/web": "", "quotas/aa/" + one: "all ",
	} {
		told = nil
		if s.Invalidate(path); len(told) > 1 || want == "" != (len(told) == 0) || want != "" && told[0] != want {
			t.Errorf("of %q it told %q", path, told)
		}
	}
}
