package paths

import (
	"context"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
)

// Delegator mints children of keys.
type Delegator interface {
	Delegate(ctx context.Context, r lifecycle.DelegateRequest) (lifecycle.Minted, error)
}

// Delegate makes a narrower key of the one that is presented.
type Delegate struct {
	Delegator Delegator
	Clock     Clock
}

func (d Delegate) routes() []route {
	takes := policyRows.fields().with(presentedKey).with(fields{"ttl": birthFields["ttl"]})
	return []route{{"delegate", "Mint a narrower child of the key that is presented.",
		"The holder of a key makes a child of it: with its role, owner and prefix, and within its scopes, networks, limits and life. A child is never leased. When an ancestor ends, is narrowed or disabled, so are all below it, at once; a child's verifications count against its ancestors' limits as well.", nil, operations{
			logical.UpdateOperation: {summary: "Delegate the key that is presented.", takes: takes, answers: delegateAnswer, handler: d.delegate, writes: true},
		}}}
}

func (d Delegate) delegate(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.presented()
	if err != nil {
		return nil, err
	}
	want, err := wanted(r.in)
	if err != nil {
		return nil, err
	}
	m, err := d.Delegator.Delegate(ctx, lifecycle.DelegateRequest{Key: key, Want: want, By: creator(r), Asker: asker(r.Request)})
	if err != nil {
		return nil, err
	}
	return answer(minted(&m, d.Clock), m.Warnings...), nil
}
