package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var ownerName = fields{"owner": {kind: word, help: "Whose keys these are."}}

const ownerHelp = "The same as for any key, for a key of this owner; any other is as if it were not there. A policy can be written on this path with {{identity.entity.name}}."

func (sv *Services) ownersPath() *framework.Path {
	return sv.path("owners/?$", "List the owners.", "The names of all owners that have or had keys, in byte order.", nil,
		map[logical.Operation]operation{
			logical.ListOperation: {summary: "List the owners.", answers: names, handler: sv.listOwners},
		})
}

func (sv *Services) ownerKeysPath() *framework.Path {
	return sv.path("owners/(?P<owner>[^/]+)/keys/?$", "List the keys of this owner.", listHelp, ownerName,
		map[logical.Operation]operation{
			logical.ListOperation: {summary: "List the keys of an owner.", takes: pageFields, answers: pageAnswer, handler: sv.listOwnerKeys},
		})
}

func (sv *Services) ownerKeyPath() *framework.Path {
	return sv.path("owners/(?P<owner>[^/]+)/keys/(?P<key_id>[^/]+)", "Metadata of a key of this owner.", ownerHelp,
		ownerName.with(keyID), sv.keyOperations())
}

func (sv *Services) ownerRotatePath() *framework.Path {
	return sv.path("owners/(?P<owner>[^/]+)/keys/(?P<key_id>[^/]+)/rotate", "Rotate a key of this owner.", ownerHelp,
		ownerName.with(keyID), map[logical.Operation]operation{logical.UpdateOperation: sv.rotateOperation()})
}

func (sv *Services) ownerRevokePath() *framework.Path {
	return sv.path("owners/(?P<owner>[^/]+)/keys/(?P<key_id>[^/]+)/revoke", "End a key of this owner.", ownerHelp,
		ownerName.with(keyID), map[logical.Operation]operation{logical.UpdateOperation: sv.revokeOperation()})
}

func (sv *Services) listOwners(ctx context.Context, _ request) (*logical.Response, error) {
	names, err := sv.Store.Owners(ctx)
	if err != nil {
		return nil, err
	}
	return logical.ListResponse(names), nil
}

func (sv *Services) listOwnerKeys(ctx context.Context, r request) (*logical.Response, error) {
	owner := r.in.word("owner")
	if !record.ValidName(owner) {
		return nil, nil
	}
	return sv.page(ctx, r.in, func(ctx context.Context, after string, visit func(string) (bool, error)) error {
		return sv.Store.EachKeyOf(ctx, owner, after, visit)
	})
}
