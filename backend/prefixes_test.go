package backend_test

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// finds tells whether the role's pattern finds the key whole inside other text.
func (m *mount) finds(role string, k answer) bool {
	m.t.Helper()
	re := regexp.MustCompile(m.read("roles/" + role).str("key_pattern"))
	text := k.str("key")
	for _, cut := range []string{text[1:], text[:len(text)-1], "x" + text, "x_" + text, text + "0"} {
		if re.FindString(cut) == cut || re.FindString(cut) == text {
			m.t.Errorf("the pattern %s finds what is no key", re)
		}
	}
	return re.FindString("key="+text+"\n") == text
}

// setDefaultPrefix writes it past config, which would want a cost for each hash
// that this process has no time for.
func (m *mount) setDefaultPrefix(prefix string) {
	m.t.Helper()
	_, err := store.New(m.storage).UpdateConfig(m.t.Context(), func(c *record.Config) error {
		c.DefaultPrefix = prefix
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.backend.InvalidateKey(m.t.Context(), "config")
}

func TestAPatternFindsTheKeysOfEarlierPrefixesWhileTheyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		m.must("roles/web", fields{"generate_lease": false, "prefix": "acme_old", "max_delegation_depth": 1, "ttl": "20d"})
		m.must("roles/plain", fields{"generate_lease": false})
		m.must("roles/other", fields{"generate_lease": false})
		rotated, ended := m.must("issue/web", nil), m.must("issue/web", nil)
		plain := m.must("issue/plain", nil)
		m.must("roles/web", fields{"prefix": "acme_new"})
		m.setDefaultPrefix("vak2")
		fresh := m.must("issue/web", nil)
		rotated = m.must("rotate/"+rotated.str("key_id"), nil)
		child := m.must("delegate", fields{"key": rotated.str("key")})
		for _, k := range []answer{rotated, ended, fresh, child} {
			if !m.finds("web", k) {
				t.Errorf("the pattern of web does not find %s", k.str("hint"))
			}
		}
		if m.finds("web", plain) || !m.finds("plain", plain) || m.finds("other", plain) {
			t.Error("the change of default_prefix is told of other roles than those whose keys carry it")
		}
		m.restart()
		m.tidy()
		if !m.finds("web", rotated) || !m.finds("web", child) || !m.finds("web", fresh) {
			t.Error("tidy took the prefix of keys that live")
		}
		m.must("revoke/"+rotated.str("key_id"), nil)
		m.tidy()
		if !m.finds("web", ended) {
			t.Error("the prefix of a key that lives is gone with another")
		}
		m.must("keys/"+ended.str("key_id"), fields{"disabled": true})
		m.tidy()
		if !m.finds("web", ended) {
			t.Error("the prefix of a disabled key, which can be enabled, is gone")
		}
		time.Sleep(20 * 24 * time.Hour)
		last := m.must("issue/web", nil)
		m.tidy()
		if m.finds("web", ended) || !m.finds("web", last) {
			t.Error("the pattern keeps the prefix of keys that have ended, or forgot today's")
		}
		m.must("roles/web", fields{"prefix": "acme_old"})
		if !m.finds("web", last) {
			t.Error("going back to an earlier prefix forgets the one between")
		}
	})
}
