package paths

import (
	"context"
	"math"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

var rotateRows = rows[lifecycle.RotateRequest]{
	sent("grace_period", duration, "How long the old version goes on working; the role's grace_period when not sent, 0 to end it at once.", func(r *lifecycle.RotateRequest) **record.Seconds { return &r.Grace }),
	at("ttl", duration, "Life of the new version; 0 or not sent for the one the key was issued with.", func(r *lifecycle.RotateRequest) *record.Seconds { return &r.TTL }),
	sent("recipients", list, "Up to 8 age recipients that the new version is sealed to; those of the current one when not sent. An owner's path takes no others.", func(r *lifecycle.RotateRequest) **[]string { return &r.Recipients }),
	{name: "expected_version", field: field{kind: count, help: "Refuse unless this is the newest version."},
		set: func(in input, r *lifecycle.RotateRequest) error {
			if n := optional[int64](in, "expected_version"); n != nil {
				expected := int(min(*n, math.MaxInt32)) // beyond any version either way
				r.ExpectedVersion = &expected
			}
			return nil
		}},
}

const rotateHelp = "Makes a new version of the same key: same key_id, policy and owner, a new secret and a fresh lifetime. The old version works until its grace is over, so that its users can be moved without an outage."

// Rotator makes new versions of keys.
type Rotator interface {
	Rotate(ctx context.Context, t lifecycle.Target, r lifecycle.RotateRequest) (lifecycle.Minted, error)
	RotateByKey(ctx context.Context, key apikey.Presented, r lifecycle.RotateRequest) (lifecycle.Minted, error)
}

// Rotate makes new versions of keys.
type Rotate struct {
	Rotator Rotator
	Clock   Clock
}

func (ro Rotate) routes() []route {
	takes := rotateRows.fields()
	byID := operations{logical.UpdateOperation: {summary: "Rotate a key.", takes: takes, answers: rotateAnswer, handler: ro.byID, writes: true}}
	return []route{
		{"rotate", "Rotate the key that is presented: the holder's path.", rotateHelp, nil, operations{
			logical.UpdateOperation: {summary: "Rotate the key that is presented.", takes: takes.with(presentedKey), answers: rotateAnswer, handler: ro.byKey, writes: true},
		}},
		{"rotate/(?P<key_id>[^/]+)", "Rotate any key of the mount: the operator's path.", rotateHelp, keyID, byID},
		{ofOwner + "/rotate", "Rotate a key of this owner.", ownerHelp, ownerName.with(keyID), byID},
	}
}

func (ro Rotate) byID(ctx context.Context, r request) (*logical.Response, error) {
	req, err := rotateRequest(r)
	if err != nil {
		return nil, err
	}
	return ro.answer(ro.Rotator.Rotate(ctx, target(r.in), req))
}

func (ro Rotate) byKey(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.presented()
	if err != nil {
		return nil, err
	}
	req, err := rotateRequest(r)
	if err != nil {
		return nil, err
	}
	return ro.answer(ro.Rotator.RotateByKey(ctx, key, req))
}

func rotateRequest(r request) (lifecycle.RotateRequest, error) {
	req := lifecycle.RotateRequest{Asker: asker(r.Request)}
	return req, rotateRows.take(r.in, &req)
}

func (ro Rotate) answer(m lifecycle.Minted, err error) (*logical.Response, error) {
	if err != nil {
		return nil, err
	}
	return mintAnswer(m, ro.Clock), nil
}
