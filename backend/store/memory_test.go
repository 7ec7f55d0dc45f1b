package store_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/memory"
)

func TestWhatWasReadIsAnsweredFromMemory(t *testing.T) {
	t.Parallel()
	d, _ := mount(t, one)
	d.Plant("tag-key", `{"v":1,"record":{"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}`)
	s := store.New(d) // cold
	for path, read := range readers {
		for range 3 {
			if err := read(s, t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := d.Noted("get"); !slices.Equal(got, []string{"get " + path}) {
			t.Errorf("%s was read three times with %q", path, got)
		}
	}
}

func TestWhatWasWrittenIsAnsweredFromMemory(t *testing.T) {
	t.Parallel()
	d, s := mount(t, one)
	for range 2 {
		if _, found, err := s.Key(t.Context(), one); !found || err != nil {
			t.Fatal(found, err)
		}
		if role, found, err := s.Role(t.Context(), "web"); !found || err != nil {
			t.Fatal(role, err)
		}
	}
	if got := d.Noted("get"); len(got) != 0 {
		t.Errorf("it asked %q", got)
	}
}

func TestAbsenceIsRememberedOfRolesAndNotOfKeys(t *testing.T) {
	t.Parallel()
	d, s := mount(t)
	for range 3 {
		if role, found, err := s.Role(t.Context(), "none"); found || err != nil {
			t.Errorf("a role out of nothing: %v, %v", role, err)
		}
	}
	if got := d.Noted("get"); len(got) != 1 {
		t.Errorf("a missing role was asked for %d times", len(got))
	}
	for range 3 {
		if _, found, err := s.Key(t.Context(), one); found || err != nil {
			t.Errorf("a key out of nothing: %v, %v", found, err)
		}
	}
	if got := d.Noted("get"); len(got) != 3 {
		t.Errorf("a missing key was asked for %d times: what is missing must not fill the memory", len(got))
	}
	if _, err := s.UpdateRole(t.Context(), "none", func(record.Role, bool) (record.Role, error) { return record.Role{UID: "u9"}, nil }); err != nil {
		t.Fatal(err)
	}
	if role, found, err := s.Role(t.Context(), "none"); !found || role.UID != "u9" || err != nil {
		t.Errorf("the absence outlived the role's creation: %v, %v", role, err)
	}
}

func TestPassingOverKeysLeavesTheMemoryAsItIs(t *testing.T) {
	t.Parallel()
	d, _ := mount(t, one)
	s := store.New(d)
	for range 2 {
		if _, found, err := s.PeekKey(t.Context(), one); !found || err != nil {
			t.Fatal(found, err)
		}
	}
	if got := d.Noted("get"); len(got) != 2 {
		t.Errorf("a peek filled the memory: %q", got)
	}
	if _, _, err := s.Key(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	d.Noted()
	if _, found, err := s.PeekKey(t.Context(), one); !found || err != nil || len(d.Noted("get")) != 0 {
		t.Error("a peek does not look at what is in memory")
	}
}

func TestAnInvalidationForgetsWhatItNames(t *testing.T) {
	t.Parallel()
	const tagKey = `{"v":1,"record":{"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}`
	all := []string{"config", "key/aa/" + one, "role/web", "tag-key"}
	for path, forgotten := range map[string][]string{
		"key/aa/" + one:                  {"key/aa/" + one},
		"key/aa/aa00000000000002":        nil,
		"role/web":                       {"role/web"},
		"role/batch":                     nil,
		"owner/acme":                     nil,
		"owner-key/acme/aa/" + one:       nil,
		"role-key/web/u1-0/aa/" + one:    nil,
		"config":                         all,
		"tag-key":                        all,
		"what/a/later/version/may/write": all,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			d, _ := mount(t, one)
			d.Plant("tag-key", tagKey)
			s := store.New(d)
			read := func() {
				for _, read := range readers {
					if err := read(s, t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			read()
			d.Noted()
			s.Invalidate(path)
			read()
			var again []string
			for _, line := range d.Noted("get") {
				again = append(again, line[len("get "):])
			}
			slices.Sort(again)
			if !slices.Equal(again, forgotten) {
				t.Errorf("read again: %q", again)
			}
		})
	}
}

func TestAnotherNodesChangeIsSeenAfterTheInvalidation(t *testing.T) {
	t.Parallel()
	d, active := mount(t, one)
	standby := store.New(d)
	if k, _, _ := standby.Key(t.Context(), one); k.RevokedAt != 0 {
		t.Fatal("revoked early")
	}
	if _, err := active.UpdateKey(t.Context(), one, func(k *record.Key) error { return k.Revoke("", now) }); err != nil {
		t.Fatal(err)
	}
	standby.Invalidate("key/aa/" + one)
	if k, _, err := standby.Key(t.Context(), one); k.RevokedAt != now || err != nil {
		t.Errorf("it reads revoked at %d, %v", k.RevokedAt, err)
	}
}

// A load that began before a change comes back after it.
func TestASlowLoadBringsNothingBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *store.Store) error{
		"a revocation": func(s *store.Store) error {
			_, err := s.UpdateKey(t.Context(), one, func(k *record.Key) error { return k.Revoke("", now) })
			return err
		},
		"a deletion": func(s *store.Store) error {
			_, err := s.DeleteKey(t.Context(), one, func(*record.Key) bool { return false })
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := mount(t, one)
			s := store.New(d)
			d.Intercept(memory.After(func(string, string) error {
				d.Intercept(nil)
				return change(s)
			}))
			if k, found, err := s.Key(t.Context(), one); !found || k.RevokedAt != 0 || err != nil {
				t.Fatalf("the load saw the change, so this shows nothing: %v, %v", found, err)
			}
			if k, found, err := s.Key(t.Context(), one); err != nil || found && k.RevokedAt == 0 {
				t.Errorf("the slow load brought the old record back (%v)", err)
			}
		})
	}
}

func TestASmallMemoryForgetsAndReadsAgain(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 300 {
		ids = append(ids, idIn("aa", i))
	}
	d, s := mount(t, ids...)
	s.Configure(record.Config{VerifyCacheSize: 64})
	for _, id := range ids {
		if k, found, err := s.Key(t.Context(), id); !found || err != nil || k.ID != id {
			t.Fatalf("%s: %v, %v", id, found, err)
		}
	}
	if got := len(d.Noted("get")); got < len(ids)-64 {
		t.Errorf("%d keys in a memory of 64 were read with %d reads", len(ids), got)
	}
}

// So does the load of a tag key that was replaced meanwhile, by a restored
// backup for one: no key of the mount would be genuine until the next restart.
func TestASlowLoadBringsNoTagKeyBack(t *testing.T) {
	t.Parallel()
	stored := func(secret string) string {
		return `{"v":1,"record":{"secret":"` + strings.Repeat(secret, 43) + `="}}`
	}
	d := newDisk()
	d.Plant("tag-key", stored("A"))
	s := store.New(d)
	d.Intercept(memory.After(func(string, string) error {
		d.Intercept(nil)
		d.Plant("tag-key", stored("E"))
		s.Invalidate("tag-key")
		return nil
	}))
	old, err := s.TagKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := apikey.Generate(rand.Reader, old, "vak", one, 1)
	if err != nil {
		t.Fatal(err)
	}
	if tk, err := s.TagKey(t.Context()); err != nil || tk.Genuine(key) {
		t.Errorf("the slow load brought the old tag key back (%v)", err)
	}
}
