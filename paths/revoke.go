package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// reason is of what ends keys.
var reason = fields{"reason": {kind: text, help: "Why, for people; at most 256 bytes."}}

const revokeHelp = "Ends a key for good, in all its versions, before it answers. Repeated it changes nothing: the first time and reason stay."

// Revoker ends keys.
type Revoker interface {
	Revoke(ctx context.Context, t lifecycle.Target, reason string) (record.Key, error)
	RevokeByKey(ctx context.Context, key apikey.Presented, reason string) (record.Key, error)
}

// Revoke ends keys.
type Revoke struct {
	Revoker Revoker
	Answers KeyAnswers
}

func (rv Revoke) routes() []route {
	byID := operations{logical.UpdateOperation: {summary: "End a key.", takes: reason, answers: readFields, handler: rv.byID, writes: true}}
	return []route{
		{"revoke", "End the key that is presented: the holder's path.", revokeHelp, nil, operations{
			logical.UpdateOperation: {summary: "End the key that is presented.", takes: reason.with(presentedKey), answers: readFields, handler: rv.byKey, writes: true},
		}},
		{"revoke/(?P<key_id>[^/]+)", "End any key of the mount: the operator's path.", revokeHelp, keyID, byID},
		{ofOwner + "/revoke", "End a key of this owner.", ownerHelp, ownerName.with(keyID), byID},
	}
}

func (rv Revoke) byID(ctx context.Context, r request) (*logical.Response, error) {
	k, err := rv.Revoker.Revoke(ctx, target(r.in), r.in.word("reason"))
	return rv.Answers.changed(ctx, k, err)
}

func (rv Revoke) byKey(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.presented()
	if err != nil {
		return nil, err
	}
	k, err := rv.Revoker.RevokeByKey(ctx, key, r.in.word("reason"))
	return rv.Answers.changed(ctx, k, err)
}
