package paths

import (
	"context"
	"math"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// presentedKey is the holder's proof of possession.
var presentedKey = fields{"key": {kind: word, help: "The key itself.", secret: true}}

var keyID = fields{"key_id": {kind: word, help: "Public id of the key."}}

var rotateFields = fields{
	"grace_period":     {kind: duration, help: "How long the old version goes on working; the role's grace_period when not sent, 0 to end it at once."},
	"ttl":              {kind: duration, help: "Life of the new version; 0 or not sent for the one the key was issued with."},
	"expected_version": {kind: count, help: "Refuse unless this is the newest version."},
}

var rotateAnswer = mintFields.with(fields{
	"previous_version":     {kind: count, help: "Number of the version that was replaced."},
	"previous_valid_until": {kind: word, help: "Until when it goes on working."},
})

const rotateHelp = "Makes a new version of the same key: same key_id, policy and owner, a new secret and a fresh lifetime. The old version works until its grace is over, so that its users can be moved without an outage."

func (sv *Services) rotatePath() *framework.Path {
	return sv.path("rotate", "Rotate the key that is presented: the holder's door.", rotateHelp, nil,
		map[logical.Operation]operation{
			logical.UpdateOperation: {summary: "Rotate the key that is presented.", takes: rotateFields.with(presentedKey), answers: rotateAnswer, handler: sv.rotateByKey, writes: true},
		})
}

func (sv *Services) rotateIDPath() *framework.Path {
	return sv.path("rotate/(?P<key_id>[^/]+)", "Rotate any key of the mount: the operator's door.", rotateHelp, keyID,
		map[logical.Operation]operation{logical.UpdateOperation: sv.rotateOperation()})
}

// rotateOperation is that of a key named by the path.
func (sv *Services) rotateOperation() operation {
	return operation{summary: "Rotate a key.", takes: rotateFields, answers: rotateAnswer, handler: sv.rotate, writes: true}
}

func (sv *Services) rotate(ctx context.Context, r request) (*logical.Response, error) {
	m, err := sv.Engine.Rotate(ctx, target(r.in), rotateRequest(r))
	if err != nil {
		return nil, err
	}
	return sv.mintAnswer(m), nil
}

func (sv *Services) rotateByKey(ctx context.Context, r request) (*logical.Response, error) {
	key, err := r.in.presented()
	if err != nil {
		return nil, err
	}
	m, err := sv.Engine.RotateByKey(ctx, key, rotateRequest(r))
	if err != nil {
		return nil, err
	}
	return sv.mintAnswer(m), nil
}

func rotateRequest(r request) lifecycle.RotateRequest {
	req := lifecycle.RotateRequest{
		Grace: optional[record.Seconds](r.in, "grace_period"),
		TTL:   r.in.seconds("ttl"),
		Asker: asker(r.Request),
	}
	if n := optional[int64](r.in, "expected_version"); n != nil {
		expected := int(min(*n, math.MaxInt32)) // beyond any version either way
		req.ExpectedVersion = &expected
	}
	return req
}

// target is the key that the path names, under its owner where the path has one.
func target(in input) lifecycle.Target {
	return lifecycle.Target{ID: in.word("key_id"), Owner: in.word("owner")}
}
