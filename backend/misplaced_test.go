package backend_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
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

// TestAKeyInThePlaceOfAnotherParameterIsRefused wherever text may stand, so that it is
// neither stored nor answered.
func TestAKeyInThePlaceOfAnotherParameterIsRefused(t *testing.T) {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "max_delegation_depth": 1})
	made := m.Must("issue/web", map[string]any{"owner": "acme"})
	m.Must("static-keys/app", map[string]any{"role": "web"})
	m.Must("honeytokens/wiki", map[string]any{"role": "web"})
	key := made.Str("key")
	names := strings.NewReplacer("(?P<role>[^/]+)", "web", "(?P<owner>[^/]+)", "acme", "(?P<key_id>[^/]+)", made.Str("key_id"), "(?P<static_name>[^/]+)", "app", "(?P<honeytoken>[^/]+)", "wiki")
	for _, form := range []string{"KEY", "found on a wiki: KEY.", "read:KEY", "Authorization=Bearer KEY"} {
		refusesKeys(t, m, names, key, strings.Replace(form, "KEY", key, 1))
	}
}

func refusesKeys(t *testing.T, m *mount.Mount, names *strings.Replacer, key, text string) {
	t.Helper()
	misplaced := map[framework.FieldType]any{
		framework.TypeString:           text,
		framework.TypeCommaStringSlice: []string{text},
		framework.TypeKVPairs:          map[string]string{"a": text},
	}
	for _, p := range backend.PathsOf(m.Backend) {
		path := names.Replace(strings.Trim(p.Pattern, "^/?$"))
		if p.Operations[logical.UpdateOperation] == nil {
			continue
		}
		for name, field := range p.Fields {
			value, holds := misplaced[field.Type]
			if !holds || name == "key" || name == "keys" {
				continue
			}
			data := map[string]any{name: value}
			for _, needed := range []string{"key", "role"} {
				if p.Fields[needed] != nil && name != needed {
					data[needed] = map[string]any{"key": key, "role": "web"}[needed]
				}
			}
			if a := m.Write(path, data); a.Status != 400 && a.Status != 409 || strings.Contains(fmt.Sprint(a), key) {
				t.Errorf("%s with a key as %s: %d %s", path, name, a.Status, a.Text)
			}
		}
	}
}
