package mount

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// TagKey reads the mount's tag key from its storage, as only a thief could.
func (m *Mount) TagKey() *apikey.TagKey {
	m.T.Helper()
	entry, err := m.Storage.Get(context.Background(), "tag-key")
	if err != nil {
		m.T.Fatal(err)
	}
	var stored struct {
		Record struct {
			Secret []byte `json:"secret"`
		} `json:"record"`
	}
	if err := json.Unmarshal(entry.Value, &stored); err != nil {
		m.T.Fatal(err)
	}
	tagKey, err := apikey.NewTagKey(stored.Record.Secret)
	if err != nil {
		m.T.Fatal(err)
	}
	return tagKey
}

// Sibling is a key of the same prefix, id and version with another secret and
// a genuine tag: it gets as far as Argon2.
func (m *Mount) Sibling(text string) string {
	m.T.Helper()
	k, err := apikey.Parse(apikey.Present(text))
	if err != nil {
		m.T.Fatal(err)
	}
	return m.Forge(k.Prefix, k.ID, k.Version)
}

// Forge is a text with a genuine tag that the mount never showed.
func (m *Mount) Forge(prefix, id string, version int) string {
	m.T.Helper()
	k, err := apikey.Generate(rand.Reader, m.TagKey(), prefix, id, version)
	if err != nil {
		m.T.Fatal(err)
	}
	return k.Reveal()
}
