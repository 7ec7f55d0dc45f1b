package stored

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/world"
)

// open is a mount on the stored entries, at the time of their writing.
func (s *stored) open(t *testing.T) *mount.Mount {
	t.Helper()
	time.Sleep(time.Until(s.At))
	storage := memory.New()
	for path, value := range s.Entries {
		storage.Plant(path, value)
	}
	m := mount.On(t, storage)
	m.Faulty = true
	return m
}

// TestStoredFormsAreReadForEver opens what every version wrote: the keys verify,
// the answers still hold what they held, and every operation works.
func TestStoredFormsAreReadForEver(t *testing.T) {
	for name, s := range storedFiles(t) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := s.open(t)
				now := &stored{Texts: s.Texts, IDs: s.IDs, Codes: map[string]string{}, Reads: map[string]map[string]any{}}
				now.look(m)
				if !reflect.DeepEqual(now.Codes, s.Codes) {
					t.Errorf("verify answered %v and now %v", s.Codes, now.Codes)
				}
				for path, fields := range s.Reads {
					for field, value := range fields {
						if !reflect.DeepEqual(now.Reads[path][field], value) {
							t.Errorf("%s: %s was %v and is %v", path, field, value, now.Reads[path][field])
						}
					}
				}
				for _, p := range m.Problems() {
					t.Errorf("storage: %v", p)
				}
				m.Must("rotate/"+s.IDs["full"], nil)
				m.Must("keys/"+s.IDs["disabled"], map[string]any{"disabled": false})
				m.Must("revoke", map[string]any{"key": s.Texts["new"]})
				m.Must("roles/web", map[string]any{"ttl": "1h"})
				if state := m.Tidy(); state != "done" {
					t.Errorf("tidy: %s", state)
				}
				for _, p := range m.Problems() {
					t.Errorf("storage after tidy: %v", p)
				}
			})
		})
	}
}

// TestOfAnUnknownFormNothingIsGuessed damages each kind of entry in turn. What
// needs it is an error, never a verdict and never a 404, and nothing is written.
func TestOfAnUnknownFormNothingIsGuessed(t *testing.T) {
	files := storedFiles(t)
	s := files[slices.Sorted(maps.Keys(files))[len(files)-1]]
	id := s.IDs["full"]
	needs := map[string]func(*mount.Mount) mount.Answer{
		"tag-key":                  of(world.Holding("verify", "full", nil), s),
		"role/web":                 of(world.Holding("verify", "full", nil), s),
		"key/" + id[:2] + "/" + id: of(world.Holding("verify", "full", nil), s),
		"config":                   func(m *mount.Mount) mount.Answer { return m.Read("config") },
		"owner/ada@example.com": func(m *mount.Mount) mount.Answer {
			return m.Write("issue/web", map[string]any{"owner": "ada@example.com"})
		},
		"static/app@example.com": func(m *mount.Mount) mount.Answer {
			return m.Write("static-keys/app@example.com", map[string]any{"role": "svc"})
		},
		first(s, "quota/"): of(world.Holding("verify", "parent", nil), s),
		first(s, "usage/"): func(m *mount.Mount) mount.Answer { return m.Read("keys/" + s.IDs["parent"]) },
	}
	for path, need := range needs {
		if s.Entries[path] == "" {
			t.Fatalf("there is no %s", path)
		}
		for _, damaged := range []string{
			strings.Replace(s.Entries[path], `"v":1`, `"v":2`, 1),
			strings.Replace(s.Entries[path], `"v":1`, `"v":0`, 1),
			strings.Replace(s.Entries[path], `"v":1,`, ``, 1),
			strings.Replace(s.Entries[path], `"v":1`, `"v":"1"`, 1),
			s.Entries[path][:len(s.Entries[path])/2], "", "null", "[]", "7",
		} {
			synctest.Test(t, func(t *testing.T) {
				broken := *s
				broken.Entries = maps.Clone(s.Entries)
				broken.Entries[path] = damaged
				m := broken.open(t)
				if a := need(m); a.Status != http.StatusInternalServerError || a.Text != "internal error" {
					t.Errorf("%s as %.20q: %d %q %v", path, damaged, a.Status, a.Text, a.Data)
				}
				if got := string(m.Storage.Dump()[path]); got != damaged {
					t.Errorf("%s was changed from %.20q to %.20q", path, damaged, got)
				}
				if strings.Contains(m.Log.String(), "argon2id") {
					t.Errorf("a hash was logged with %s as %.20q", path, damaged)
				}
			})
		}
	}
}

// of gives an operation of the matrix the keys of a stored form.
func of(run world.Operation, s *stored) func(*mount.Mount) mount.Answer {
	return func(m *mount.Mount) mount.Answer { return run(m, &world.World{Texts: s.Texts, IDs: s.IDs}) }
}

// TestAHintThatCannotBeReadDecidesNothing: the record does, and tidy writes the
// hint anew.
func TestAHintThatCannotBeReadDecidesNothing(t *testing.T) {
	files := storedFiles(t)
	s := files[slices.Sorted(maps.Keys(files))[len(files)-1]]
	for _, folder := range []string{"role-key/web/", "owner-key/ada@example.com/"} {
		for _, damage := range []string{`{"v":2,"record":{}}`, "", "7"} {
			synctest.Test(t, func(t *testing.T) {
				broken, path := *s, first(s, folder)
				broken.Entries = maps.Clone(s.Entries)
				broken.Entries[path] = damage
				m := broken.open(t)
				if a := m.Do(logical.DeleteOperation, "roles/web", nil); a.Status != http.StatusConflict {
					t.Errorf("with %s as %q the role's deletion answered %d", path, damage, a.Status)
				}
				if state := m.Tidy(); state != "done" {
					t.Errorf("tidy: %s", state)
				}
				if got := string(m.Storage.Dump()[path]); got != s.Entries[path] {
					t.Errorf("tidy left %s as %q", path, got)
				}
			})
		}
	}
}

// first is the first entry in a folder.
func first(s *stored, folder string) string {
	for _, path := range slices.Sorted(maps.Keys(s.Entries)) {
		if strings.HasPrefix(path, folder) {
			return path
		}
	}
	return ""
}
