package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

var delegateFields = changeFields.with(limitFields).with(presentedKey).with(issueFields.pick("ttl"))

func (sv *Services) delegatePath() *framework.Path {
	return sv.path("delegate", "Mint a narrower child of the key that is presented.",
		"The holder of a key makes a child of it: with its role, owner and prefix, and within its scopes, networks, limits and life. A child is never leased. When an ancestor ends, is narrowed or disabled, so are all below it, at once; a child's verifications count against its ancestors' limits as well.", nil,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Delegate the key that is presented.", takes: delegateFields, answers: keyFields.with(mintFields.pick("key")), handler: sv.delegate, writes: true},
		})
}

func (sv *Services) delegate(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.presented()
	if err != nil {
		return nil, err
	}
	want, err := wanted(r.in)
	if err != nil {
		return nil, err
	}
	minted, err := sv.Engine.Delegate(ctx, lifecycle.DelegateRequest{
		Key:   key,
		Want:  want,
		By:    record.Creator{DisplayName: r.DisplayName, EntityID: r.EntityID},
		Asker: asker(r.Request),
	})
	if err != nil {
		return nil, err
	}
	return answer(sv.shown(minted), minted.Warnings...), nil
}
