package paths

import (
	"context"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

var updateRows = slices.Concat(policyRows, rows[record.Change]{
	sent("disabled", flag, "Whether the key answers disabled until this is lifted. What was set on the operator's path is lifted only there.", func(c *record.Change) **bool { return &c.Disabling.Disabled }),
	sent("disabled_reason", text, "With disabled=true: why, for people; at most 256 bytes.", func(c *record.Change) **string { return &c.Disabling.Reason }),
})

// KeyFinder finds keys.
type KeyFinder interface {
	Find(ctx context.Context, t lifecycle.Target) (record.Key, error)
}

// KeyKeeper finds, changes and deletes keys.
type KeyKeeper interface {
	KeyFinder
	Update(ctx context.Context, t lifecycle.Target, change record.Change) (record.Key, error)
	Delete(ctx context.Context, t lifecycle.Target) error
}

// Keys are the metadata of keys.
type Keys struct {
	Keeper  KeyKeeper
	Answers KeyAnswers
}

func (ks Keys) routes() []route {
	ops := operations{
		logical.ReadOperation:   {summary: "Read a key's metadata.", answers: readFields, handler: ks.read},
		logical.UpdateOperation: {summary: "Change a key that has not ended; what is not sent stays.", takes: updateRows.fields(), answers: readFields, handler: ks.update, writes: true},
		logical.DeleteOperation: {summary: "End a key and remove its record.", handler: ks.delete, writes: true},
	}
	return []route{
		{"keys/(?P<key_id>[^/]+)", "Metadata of a key, never its secret.", "Reads, changes or deletes any key of the mount.", keyID, ops},
		{ofOwner, "Metadata of a key of this owner.", ownerHelp, ownerName.with(keyID), ops},
	}
}

func (ks Keys) read(ctx context.Context, r request) (*logical.Response, error) {
	k, err := ks.Keeper.Find(ctx, target(r.in))
	if err != nil {
		return nil, err
	}
	return ks.Answers.read(ctx, k)
}

func (ks Keys) update(ctx context.Context, r request) (*logical.Response, error) {
	var change record.Change
	if err := updateRows.take(r.in, &change); err != nil {
		return nil, err
	}
	k, err := ks.Keeper.Update(ctx, target(r.in), change)
	return ks.Answers.changed(ctx, k, err)
}

func (ks Keys) delete(ctx context.Context, r request) (*logical.Response, error) {
	return nil, ks.Keeper.Delete(ctx, target(r.in))
}
