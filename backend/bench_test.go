package backend_test

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// benchMount is a mount of the default hashing cost that has verified its one
// key once, and the request that verifies it again.
func benchMount(t testing.TB) (logical.Backend, *memory.Storage, *logical.Request) {
	t.Helper()
	ctx, storage := context.Background(), memory.New()
	b, err := backend.Factory(keyhash.NewHasher(2))(ctx, &logical.BackendConfig{
		System:      &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 24 * time.Hour},
		StorageView: storage,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Cleanup(ctx) })
	if err := b.Initialize(ctx, &logical.InitializationRequest{Storage: storage}); err != nil {
		t.Fatal(err)
	}
	ask := func(path string, data map[string]any) *logical.Request {
		return &logical.Request{Operation: logical.UpdateOperation, Path: path, Data: data, Storage: storage}
	}
	answered := func(req *logical.Request) map[string]any {
		resp, err := b.HandleRequest(ctx, req)
		if err != nil || resp.IsError() {
			t.Fatal(resp, err)
		}
		return resp.Data
	}
	answered(ask("roles/web", map[string]any{"generate_lease": false, "allowed_scopes": "read:*,write", "default_scopes": "read:*"}))
	key := answered(ask("issue/web", map[string]any{"owner": "acme"}))["key"]
	verify := ask("verify/web", map[string]any{"key": key, "scopes": []any{"read:users"}, "client_ip": "10.1.2.3"})
	if got := answered(verify)["code"]; got != "valid" {
		t.Fatal(got)
	}
	return b, storage, verify
}

func TestAWarmVerifyThroughTheMountAsksNoStorage(t *testing.T) {
	b, storage, verify := benchMount(t)
	storage.Intercept(func(_ context.Context, c memory.Call, effect func()) error {
		t.Errorf("a warm verify asks %v", c)
		effect()
		return nil
	})
	for range 100 {
		if resp, err := b.HandleRequest(t.Context(), verify); err != nil || resp.Data["valid"] != true {
			t.Fatal(resp, err)
		}
	}
	storage.Intercept(nil)
}

func BenchmarkWarmVerifyThroughTheMount(b *testing.B) {
	mounted, _, verify := benchMount(b)
	b.ReportAllocs()
	for b.Loop() {
		if resp, err := mounted.HandleRequest(context.Background(), verify); err != nil || resp.Data["valid"] != true {
			b.Fatal(resp, err)
		}
	}
}
