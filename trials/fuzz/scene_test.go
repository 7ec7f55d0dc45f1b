// Package fuzz puts anything into a request, and in the place of an entry.
package fuzz

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/memory"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// scene is a small mount to be opened many times, in real time.
type scene struct {
	storage *memory.Storage
	text    string // of a live key
	id      string
	secrets *mount.Secrets
}

func newScene(t *testing.T) *scene {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{
		"generate_lease": false, "allowed_scopes": "read:*", "rate_limit": 1000, "quota": 640, "idle_timeout": "12h",
		"max_keys_per_owner": 5, "max_delegation_depth": 2,
	})
	m.Must("roles/svc", nil)
	k := m.Must("issue/web", map[string]any{"owner": "acme"})
	m.Must("delegate", map[string]any{"key": k.Str("key")})
	m.Code(k.Str("key"))                    // leaves a quota
	m.Backend.Cleanup(context.Background()) // and a last use
	m.Must("revoke/"+m.Must("issue/web", nil).Str("key_id"), nil)
	m.Must("rotate/"+m.Must("issue/svc", nil).Str("key_id"), nil)
	return &scene{storage: m.Storage.Clone(), text: k.Str("key"), id: k.Str("key_id"), secrets: m.Secrets}
}

// open is a mount on a copy of the scene, through the view that Vault gives to a
// backend: it refuses paths with '..'.
func (s *scene) open(t *testing.T) *mount.Mount {
	t.Helper()
	m := &mount.Mount{T: t, Storage: s.storage.Clone(), Log: new(mount.Journal), Secrets: s.secrets, Ctx: context.Background()}
	config := logical.TestBackendConfig()
	config.StorageView = logical.NewStorageView(m.Storage, "")
	config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: m.Log})
	m.System = mount.NewSystem(logical.StaticSystemView{DefaultLeaseTTLVal: mount.DefaultTTL, MaxLeaseTTLVal: mount.MaxTTL, PluginEnvironment: &logical.PluginEnvironment{}})
	config.System = m.System
	var err error
	if m.Backend, err = backend.Factory(keyhash.NewHasher(2))(m.Ctx, config); err != nil {
		t.Fatal(err)
	}
	return m
}

// place fills in the live key where a request names it.
func (s *scene) place(text string) string {
	return strings.NewReplacer("{key}", s.text, "{id}", s.id).Replace(text)
}

// uid is that of the role, as its hints' folder shows.
func (s *scene) uid() string {
	for path := range s.storage.Dump() {
		if rest, ok := strings.CutPrefix(path, "role-key/web/"); ok {
			uid, _, _ := strings.Cut(rest, "/")
			return uid
		}
	}
	return ""
}
