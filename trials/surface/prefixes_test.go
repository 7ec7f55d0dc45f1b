package surface

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// finds tells whether the role's pattern finds the key whole inside other text.
func finds(m *mount.Mount, role string, k mount.Answer) bool {
	m.T.Helper()
	re := regexp.MustCompile(m.Read("roles/" + role).Str("key_pattern"))
	text := k.Str("key")
	for _, cut := range []string{text[1:], text[:len(text)-1], "x" + text, "x_" + text, text + "0"} {
		if re.FindString(cut) == cut || re.FindString(cut) == text {
			m.T.Errorf("the pattern %s finds what is no key", re)
		}
	}
	return re.FindString("key="+text+"\n") == text
}

// setDefaultPrefix writes it past config, which would want a cost for each hash
// that this process has no time for.
func setDefaultPrefix(m *mount.Mount, prefix string) {
	m.T.Helper()
	_, err := store.New(m.Storage).UpdateConfig(m.T.Context(), func(c *record.Config) error {
		c.DefaultPrefix = prefix
		return nil
	})
	if err != nil {
		m.T.Fatal(err)
	}
	m.Backend.InvalidateKey(m.T.Context(), "config")
}

func TestAPatternFindsTheKeysOfEarlierPrefixesWhileTheyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mount.New(t)
		m.Must("roles/web", fields{"generate_lease": false, "prefix": "acme_old", "max_delegation_depth": 1, "ttl": "20d"})
		m.Must("roles/plain", fields{"generate_lease": false})
		m.Must("roles/other", fields{"generate_lease": false})
		rotated, ended := m.Must("issue/web", nil), m.Must("issue/web", nil)
		plain := m.Must("issue/plain", nil)
		m.Must("roles/web", fields{"prefix": "acme_new"})
		setDefaultPrefix(m, "vak2")
		fresh := m.Must("issue/web", nil)
		rotated = m.Must("rotate/"+rotated.Str("key_id"), nil)
		child := m.Must("delegate", fields{"key": rotated.Str("key")})
		for _, k := range []mount.Answer{rotated, ended, fresh, child} {
			if !finds(m, "web", k) {
				t.Errorf("the pattern of web does not find %s", k.Str("hint"))
			}
		}
		if finds(m, "web", plain) || !finds(m, "plain", plain) || finds(m, "other", plain) {
			t.Error("the change of default_prefix is told of other roles than those whose keys carry it")
		}
		m.Restart()
		m.Tidy()
		if !finds(m, "web", rotated) || !finds(m, "web", child) || !finds(m, "web", fresh) {
			t.Error("tidy took the prefix of keys that live")
		}
		m.Must("revoke/"+rotated.Str("key_id"), nil)
		m.Tidy()
		if !finds(m, "web", ended) {
			t.Error("the prefix of a key that lives is gone with another")
		}
		m.Must("keys/"+ended.Str("key_id"), fields{"disabled": true})
		m.Tidy()
		if !finds(m, "web", ended) {
			t.Error("the prefix of a disabled key, which can be enabled, is gone")
		}
		time.Sleep(20 * 24 * time.Hour)
		last := m.Must("issue/web", nil)
		m.Tidy()
		if finds(m, "web", ended) || !finds(m, "web", last) {
			t.Error("the pattern keeps the prefix of keys that have ended, or forgot today's")
		}
		m.Must("roles/web", fields{"prefix": "acme_old"})
		if !finds(m, "web", last) {
			t.Error("going back to an earlier prefix forgets the one between")
		}
	})
}
