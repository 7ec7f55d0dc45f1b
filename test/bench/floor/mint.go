package main

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/crypto/argon2"
)

// record is as long as the engine's of a fresh key.
var record = []byte(strings.Repeat("r", 900))

var minted = map[string]any{"key": strings.Repeat("k", 86), "key_id": "3kTMd9Xq2LwVb7Rc", "version": 1, "hint": "vak_3kTMd9Xq2LwVb7Rc_…", "role": "plain",
	"owner": "owner-42", "name": "bench", "scopes": []string{}, "metadata": map[string]any{"env": "live"}, "bound_cidrs": []string{},
	"rate_limit": 0, "rate_limit_period": 1, "quota": 0, "quota_period": 0, "status": "active", "created_at": "2027-01-02T03:04:05Z",
	"expires_at": "2027-01-02T03:04:05Z", "rotate_by": "", "parent_key_id": "", "created_by": map[string]any{"display_name": "token", "entity_id": ""}}

var mintFields = map[string]*framework.FieldSchema{
	"owner": {Type: framework.TypeString}, "name": {Type: framework.TypeString}, "metadata": {Type: framework.TypeKVPairs},
}

// mintPath does one Argon2 of the default cost and one write.
func mintPath() *framework.Path {
	return &framework.Path{
		Pattern: "mint",
		Fields:  mintFields,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{Callback: func(ctx context.Context, r *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
				salt := make([]byte, 16)
				rand.Read(salt)
				argon2.IDKey([]byte(rand.Text()), salt, 2, 19456, 1, 32)
				return put(ctx, r)
			}},
		},
	}
}

// putPath does one write.
func putPath() *framework.Path {
	return &framework.Path{
		Pattern: "put",
		Fields:  mintFields,
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{Callback: func(ctx context.Context, r *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
				return put(ctx, r)
			}},
		},
	}
}

func put(ctx context.Context, r *logical.Request) (*logical.Response, error) {
	id := rand.Text()
	if err := r.Storage.Put(ctx, &logical.StorageEntry{Key: "key/" + id[:2] + "/" + id, Value: record}); err != nil {
		return nil, err
	}
	return &logical.Response{Data: minted}, nil
}
