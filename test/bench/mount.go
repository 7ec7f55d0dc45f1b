package main

import (
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
)

// mount is the engine in this process, without a Vault: for what can only be
// seen from inside, or would take Vault hours to be filled with.
type mount struct {
	backend logical.Backend
	storage logical.Storage
}

func newMount(t *runner, storage logical.Storage) *mount {
	config := logical.TestBackendConfig()
	config.StorageView, config.Logger = storage, hclog.NewNullLogger()
	config.System = &logical.StaticSystemView{DefaultLeaseTTLVal: 24 * time.Hour, MaxLeaseTTLVal: 720 * time.Hour}
	b, err := backend.Factory(keyhash.NewHasher(2))(background, config)
	t.must(err)
	t.must(b.Initialize(background, &logical.InitializationRequest{Storage: storage}))
	t.Cleanup(func() { b.Cleanup(background) })
	m := &mount{b, storage}
	m.do(t, logical.UpdateOperation, "roles/plain", map[string]any{"generate_lease": false})
	return m
}

func (m *mount) do(t *runner, op logical.Operation, path string, data map[string]any) map[string]any {
	resp, err := m.backend.HandleRequest(background, &logical.Request{Operation: op, Path: path, Data: data, Storage: m.storage})
	t.must(err)
	if resp == nil || resp.IsError() {
		t.Fatalf("%s %s: %v", op, path, resp)
	}
	return resp.Data
}

func (m *mount) issue(t *runner) key {
	data := m.do(t, logical.UpdateOperation, "issue/plain", map[string]any{"owner": "acme", "metadata": map[string]any{"env": "live"}})
	return key{data["key"].(string), data["key_id"].(string)}
}

func (m *mount) verify(t *runner, text string) bool {
	valid, _ := m.do(t, logical.UpdateOperation, "verify", map[string]any{"key": text})["valid"].(bool)
	return valid
}
