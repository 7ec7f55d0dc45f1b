package backend_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

var capture = regexp.MustCompile(`\(\?P<\w+>[^)]*\)`)

// TestAKeyInThePlaceOfANameIsShownNowhere though storage is in trouble, whose errors
// name the entries that they are about. When the mount ends, its log and its storage
// are searched for the key.
func TestAKeyInThePlaceOfANameIsShownNowhere(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false})
	key := m.Must("issue/web", nil).Str("key")
	for _, p := range backend.PathsOf(m.Backend) {
		path := capture.ReplaceAllString(strings.Trim(p.Pattern, "^/?$"), key)
		if !strings.Contains(path, key) {
			continue
		}
		for op := range p.Operations {
			at, logged := path, len(m.Log.String())
			if op == logical.ListOperation {
				at += "/"
			}
			m.Storage.Intercept(memory.Before(func(_, _ string) error { return memory.ErrStorage }))
			a := m.Do(op, at, nil)
			m.Storage.Intercept(nil)
			m.Secrets.MustNotAppear(t, string(op)+" "+p.Pattern, a.Text)
			m.Secrets.MustNotAppear(t, string(op)+" "+p.Pattern+" in the log", m.Log.String()[logged:])
		}
	}
}
