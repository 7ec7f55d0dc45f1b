package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

var revokeFields = fields{"reason": {kind: text, help: "Why, for people; at most 256 bytes."}}

const revokeHelp = "Ends a key for good, in all its versions, before it answers. Repeated it changes nothing: the first time and reason stay."

func (sv *Services) revokePath() *framework.Path {
	return sv.path("revoke", "End the key that is presented: the holder's door.", revokeHelp, nil,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "End the key that is presented.", takes: revokeFields.with(presentedKey), answers: readFields, handler: sv.revokeByKey, writes: true},
		})
}

func (sv *Services) revokeIDPath() *framework.Path {
	return sv.path("revoke/(?P<key_id>[^/]+)", "End any key of the mount: the operator's door.", revokeHelp, keyID,
		map[logical.Operation]operation{logical.UpdateOperation: sv.revokeOperation()})
}

// revokeOperation is that of a key named by the path.
func (sv *Services) revokeOperation() operation {
	return operation{summary: "End a key.", takes: revokeFields, answers: readFields, handler: sv.revoke, writes: true}
}

func (sv *Services) revoke(ctx context.Context, r request) (*logical.Response, error) {
	k, err := sv.Engine.Revoke(ctx, target(r.in), r.in.word("reason"))
	return sv.changed(ctx, k, err)
}

func (sv *Services) revokeByKey(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.presented()
	if err != nil {
		return nil, err
	}
	k, err := sv.Engine.RevokeByKey(ctx, key, r.in.word("reason"))
	return sv.changed(ctx, k, err)
}

// changed answers a change of a key with what a read would show.
func (sv *Services) changed(ctx context.Context, k record.Key, err error) (*logical.Response, error) {
	if err != nil {
		return nil, err
	}
	data, warnings, err := sv.changedAnswer(ctx, k)
	if err != nil {
		return nil, err
	}
	if err := sv.addQuota(ctx, data, k, sv.Meter.TryPeek); err != nil {
		// The change is made. That what remains of a quota is not known now, or
		// held by a verify, must not hide it.
		sv.Logger.Warn("a changed key is answered without its quota", "error", err)
	}
	return answer(data, warnings...), nil
}
