package backend_test

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// tagKey reads the mount's tag key from its storage, as only a thief could.
func (m *mount) tagKey() *apikey.TagKey {
	m.t.Helper()
	entry, err := m.storage.Get(context.Background(), "tag-key")
	if err != nil {
		m.t.Fatal(err)
	}
	var stored struct {
		Record struct {
			Secret []byte `json:"secret"`
		} `json:"record"`
	}
	if err := json.Unmarshal(entry.Value, &stored); err != nil {
		m.t.Fatal(err)
	}
	tagKey, err := apikey.NewTagKey(stored.Record.Secret)
	if err != nil {
		m.t.Fatal(err)
	}
	return tagKey
}

// sibling is a key of the same prefix, id and version with another secret and
// a genuine tag: it gets as far as Argon2.
func (m *mount) sibling(text string) string {
	m.t.Helper()
	k, err := apikey.Parse(apikey.Present(text))
	if err != nil {
		m.t.Fatal(err)
	}
	return m.forge(k.Prefix, k.ID, k.Version)
}

// forge is a text with a genuine tag that the mount never showed.
func (m *mount) forge(prefix, id string, version int) string {
	m.t.Helper()
	k, err := apikey.Generate(rand.Reader, m.tagKey(), prefix, id, version)
	if err != nil {
		m.t.Fatal(err)
	}
	return k.Reveal()
}
