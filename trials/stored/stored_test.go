// Package stored tries what is in storage: forms that were written once and are read for ever, and entries that are
// damaged.
package stored

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/opener"
	"vault-plugin-secrets-apikeys/trials/world"
)

// stored is a mount's storage as some version of this engine wrote it. The files
// in testdata/stored are never changed: each is read for ever. When the stored
// form grows, write another with
//
//	STORED=2-what-came go test ./trials/stored -run TestStored
//
// and commit it; the code of today is held against the last one.
type stored struct {
	At      time.Time                 `json:"at"`
	Entries map[string]string         `json:"entries"`
	Texts   map[string]string         `json:"texts"` // of keys, by what they stand for
	IDs     map[string]string         `json:"ids"`
	Codes   map[string]string         `json:"codes"` // what verify answers at that time
	Reads   map[string]map[string]any `json:"reads"` // what a read of these paths answers
}

var storedHash = regexp.MustCompile(`\$argon2id[^"]*`)

const storedFolder = "testdata/stored"

func storedFiles(t *testing.T) map[string]*stored {
	t.Helper()
	names, err := filepath.Glob(storedFolder + "/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no stored forms: %v", err)
	}
	files := make(map[string]*stored)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = new(stored)
		if err := json.Unmarshal(raw, files[name]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return files
}

// writeStored plays a fixed scenario that leaves every kind of entry.
func writeStored(t *testing.T) *stored {
	s := &stored{Entries: map[string]string{}, Codes: map[string]string{}, Reads: map[string]map[string]any{}}
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Faulty = true // its storage is looked at here
		_, err := store.New(m.Storage).UpdateConfig(t.Context(), func(c *record.Config) error {
			c.RevokedRetention, c.VerifyCacheSize, c.DefaultPrefix, c.AllowKeyInQuery = 36000, 1000, "acme", true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		m.Restart()
		m.Must("roles/web", map[string]any{
			"description": "keys of the web", "prefix": "acme_live", "ttl": "20d", "max_ttl": "25d", "generate_lease": false,
			"grace_period": "1h", "max_grace_period": "2h", "rotation_period": "10d", "allowed_scopes": []string{"read:*", "write:a"},
			"default_scopes": []string{"read:a"}, "bound_cidrs": []string{"10.0.0.0/8", "2001:db8::/32"},
			"metadata": map[string]any{"tier": "gold"}, "require_owner": true,
		})
		m.Must("roles/svc", nil)
		m.Must("roles/templated", map[string]any{"owner_template": "{{identity.entity.name}}", "disabled": true})
		m.Must("roles/limited", map[string]any{
			"generate_lease": false, "rate_limit": 100, "rate_limit_period": "1m", "quota": 6400, "quota_period": "1d",
			"idle_timeout": "12h", "max_keys_per_owner": 3, "max_delegation_depth": 2, "allowed_scopes": "read:*",
		})
		w := &world.World{Texts: map[string]string{}, IDs: map[string]string{}, Leases: map[string]*logical.Secret{}}
		w.Issue(m, "revoked", "web", "acme")
		m.Must("revoke/"+w.IDs["revoked"], map[string]any{"reason": "leaked"})
		w.Issue(m, "rotated long ago", "svc", "")
		m.Code(w.Texts["rotated long ago"])
		m.Must("rotate/"+w.IDs["rotated long ago"], map[string]any{"grace_period": 0})
		w.Issue(m, "lost parent", "limited", "")
		w.Keep("orphan", m.Must("delegate", map[string]any{"key": w.Texts["lost parent"], "name": "orphan", "quota": 10}))
		m.Must("revoke/"+w.IDs["lost parent"], nil)
		w.Keep("expired", m.Must("issue/web", map[string]any{"owner": "acme", "ttl": "9h"}))
		time.Sleep(9*time.Hour + 59*time.Minute)
		if state := m.Tidy(); state != "done" {
			t.Fatal(state)
		}
		time.Sleep(time.Hour)
		w.Keep("full", m.Must("issue/web", map[string]any{
			"owner": "ada@example.com", "name": "Ada's", "metadata": map[string]any{"a": "ü", "tier": "own"},
			"scopes": []string{"read:a:b", "write:a"}, "bound_cidrs": []string{"10.1.0.0/16", "10.2.3.4"}, "ttl": "21d",
		}))
		w.Issue(m, "disabled", "web", "acme")
		m.Must("keys/"+w.IDs["disabled"], map[string]any{"disabled": true})
		w.Issue(m, "old", "svc", "acme")
		w.Rotate(m, "old", "new")
		time.Sleep(time.Minute)
		m.Renew(w.Leases["new"], 0)
		m.Must("rotate/"+w.IDs["rotated long ago"], nil) // forgets the first hash

		s.limited(m, w)
		m.Must("roles/sealed", map[string]any{"require_recipients": true, "allowed_recipients": opener.Known})
		w.Keep("sealed", m.Must("issue/sealed", map[string]any{"recipients": opener.Known}))
		w.Rotate(m, "sealed", "sealed again")
		s.waiting(m, w)
		w.Keep("declared", m.Must("static-keys/app@example.com", map[string]any{"role": "svc", "owner": "acme"}))

		s.At, s.Texts, s.IDs = time.Now(), w.Texts, w.IDs
		for path, value := range m.Storage.Dump() {
			s.Entries[path] = string(value)
		}
		s.look(m)
	})
	return s
}

// limited leaves what limits, delegation and stops store. Only one key is used
// between two flushes: which entry its use is in depends on its id.
func (s *stored) limited(m *mount.Mount, w *world.World) {
	w.Keep("parent", m.Must("issue/limited", map[string]any{"owner": "umbrella", "scopes": []string{"read:*"}, "rate_limit": 10, "quota": 640}))
	w.Keep("child", m.Must("delegate", map[string]any{"key": w.Texts["parent"], "name": "child", "scopes": []string{"read:a"}, "ttl": "1h"}))
	w.Issue(m, "stopped", "svc", "gone")
	m.Must("stop/owners/gone", map[string]any{"reason": "leaked"})
	m.Must("roles/halted", map[string]any{"generate_lease": false})
	m.Must("stop/roles/halted", map[string]any{"reason": "leaked, too"})
	w.Issue(m, "new of a stopped role", "halted", "")
	if code := m.Code(w.Texts["parent"]); code != "valid" {
		m.T.Fatal(code)
	}
	m.Must("gate/changes", map[string]any{"gate": "edge-1", "run": "r1"})
	w.Texts["honeytoken"] = m.Must("honeytokens/wiki", map[string]any{"role": "halted", "description": "in the wiki", "disables": []string{w.IDs["new of a stopped role"]}}).Key()
	if code := m.Must("verify", map[string]any{"key": w.Texts["honeytoken"], "client_ip": "192.0.2.1"}).Str("code"); code != "invalid" {
		m.T.Fatal(code)
	}
	time.Sleep(time.Minute)
}

// waiting leaves a version that took effect at its first use, one that was cancelled
// and one that waits.
func (s *stored) waiting(m *mount.Mount, w *world.World) {
	w.Issue(m, "replaced by a use", "svc", "")
	rotate := "rotate/" + w.IDs["replaced by a use"]
	waits := map[string]any{"activation": "first_use", "pending_period": "2h", "grace_period": "3h"}
	w.Keep("used", m.Must(rotate, waits))
	m.Code(w.Texts["used"])
	time.Sleep(time.Minute)
	w.Keep("cancelled", m.Must(rotate, waits))
	m.Must(rotate+"/rollback", map[string]any{"reason": "it broke"})
	w.Keep("waiting", m.Must(rotate, waits))
	time.Sleep(time.Minute)
}

// look notes what a mount on these entries says.
func (s *stored) look(m *mount.Mount) {
	for name, text := range s.Texts {
		s.Codes[name] = m.Must("verify", map[string]any{"key": text, "client_ip": "10.1.2.3", "cost": 0}).Str("code")
	}
	paths := []string{"config", "roles/web", "roles/svc", "roles/templated", "roles/limited", "roles/halted", "roles/sealed", "static-keys/app@example.com", "honeytokens/wiki", "alerts/honeytoken_used.wiki"}
	for _, id := range s.IDs {
		paths = append(paths, "keys/"+id)
	}
	for _, path := range paths {
		s.Reads[path] = m.Read(path).Data
	}
}

// form is the entries with all that is random replaced by what it stands for.
func (s *stored) form() map[string]string {
	names := make([]string, 0, len(s.IDs))
	for name := range s.IDs {
		names = append(names, name)
	}
	slices.Sort(names)
	var replacements []string
	seen := make(map[string]bool)
	for _, name := range names {
		if id := s.IDs[name]; !seen[id] {
			seen[id] = true
			replacements = append(replacements, "/"+id[:2]+"/"+id, "/<shard>/<"+name+">", id, "<"+name+">")
		}
	}
	for path, value := range s.Entries {
		if planted := regexp.MustCompile(`"key_id":"(\w+)","digest":"([^"]+)"`).FindStringSubmatch(value); planted != nil {
			replacements = append(replacements, planted[1], "<id of "+path+">", planted[2], "<digest>")
		}
	}
	uid := regexp.MustCompile(`"uid":"([A-Z2-7]{26})"`)
	for path, value := range s.Entries {
		if found := uid.FindStringSubmatch(value); found != nil {
			replacements = append(replacements, found[1], "<uid of "+path+">")
		}
	}
	random := strings.NewReplacer(replacements...)
	secret := regexp.MustCompile(`"secret":"[A-Za-z0-9+/]{43}="`)
	suffix := regexp.MustCompile(`"suffix":"[0-9a-f]{16}"`)
	request := regexp.MustCompile(`,"request":"[A-Z2-7]{26}"`)
	form := make(map[string]string)
	for path, value := range s.Entries {
		value = storedHash.ReplaceAllString(random.Replace(value), "<hash>")
		value = suffix.ReplaceAllString(request.ReplaceAllString(value, ""), `"suffix":"<random>"`)
		path = random.Replace(path)
		form[path] = secret.ReplaceAllString(value, `"secret":"<32 bytes>"`)
	}
	return form
}

func TestStoredFormIsWrittenAsItWasLast(t *testing.T) {
	now := writeStored(t)
	if name := os.Getenv("STORED"); name != "" {
		raw, err := json.MarshalIndent(now, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(filepath.Join(storedFolder, name+".json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(append(raw, '\n')); err != nil || file.Close() != nil {
			t.Fatal(err)
		}
	}
	files := storedFiles(t)
	last := files[slices.Sorted(maps.Keys(files))[len(files)-1]]
	was, is := last.form(), now.form()
	for path := range was {
		if is[path] != was[path] {
			t.Errorf("%s was stored as\n%s\nand is now\n%s", path, was[path], is[path])
		}
	}
	for path := range is {
		if _, known := was[path]; !known {
			t.Errorf("%s is new:\n%s", path, is[path])
		}
	}
}
