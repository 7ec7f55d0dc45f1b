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
	expectedVersion(func(r *lifecycle.RotateRequest) **int { return &r.ExpectedVersion }),
	sent("activation", text, "When the new version takes effect: immediate, or first_use; the role's activation when not sent.", func(r *lifecycle.RotateRequest) **string { return &r.Activation }),
	sent("pending_period", duration, "With first_use: how long the new version may wait; the role's max_pending_period when not sent.", func(r *lifecycle.RotateRequest) **record.Seconds { return &r.PendingPeriod }),
}

// expectedVersion is a guard against what somebody else rotated meanwhile.
func expectedVersion[V any](of func(*V) **int) row[V] {
	return row[V]{name: "expected_version", field: field{kind: count, help: "Refuse unless this is the highest version, pending and cancelled ones included."},
		set: func(in input, to *V) error {
			if n := optional[int64](in, "expected_version"); n != nil {
				expected := int(min(*n, math.MaxInt32)) // beyond any version either way
				*of(to) = &expected
			}
			return nil
		}}
}

var rollbackRows = rows[lifecycle.RollbackRequest]{
	expectedVersion(func(r *lifecycle.RollbackRequest) **int { return &r.ExpectedVersion }),
	at("reason", text, "Why, for people; at most 256 bytes. It is shown with the cancelled version.", func(r *lifecycle.RollbackRequest) *string { return &r.Reason }),
}

// finishRows set how long the old version still works.
var finishRows = rows[record.Seconds]{
	at("grace_period", duration, "How long the old version still works; 0, the default, ends it at once. It never becomes longer than it was.", func(grace *record.Seconds) *record.Seconds { return grace }),
}

const rotateHelp = "Makes a new version of the same key: same key_id, policy and owner, a new secret and a fresh lifetime. The old version works until its grace is over, so that its users can be moved without an outage."

const (
	rollbackHelp = "Cancels a version that is pending; or, while the version before is in its grace, the newest one: the one before is current again. It revives nothing that has ended."
	finishHelp   = "Lets a version that is pending take effect now; or, while the version before is in its grace, ends that grace. It never lengthens one."
)

// Rotator makes new versions of keys.
type Rotator interface {
	Rotate(ctx context.Context, t lifecycle.Target, r lifecycle.RotateRequest) (lifecycle.Minted, error)
	RotateByKey(ctx context.Context, key apikey.Presented, r lifecycle.RotateRequest) (lifecycle.Minted, error)
	Rollback(ctx context.Context, t lifecycle.Target, r lifecycle.RollbackRequest) (record.Key, error)
	Finish(ctx context.Context, t lifecycle.Target, grace record.Seconds) (record.Key, error)
}

// Rotate makes new versions of keys, and takes that back or completes it.
type Rotate struct {
	Rotator Rotator
	Clock   Clock
	Answers KeyAnswers
}

func (ro Rotate) routes() []route {
	takes := rotateRows.fields()
	byID := operations{logical.UpdateOperation: {summary: "Rotate a key.", takes: takes, answers: rotateAnswer, handler: ro.byID, writes: true}}
	rollback := operations{logical.UpdateOperation: {summary: "Take a rotation back.", takes: rollbackRows.fields(), answers: readFields, handler: ro.rollback, writes: true}}
	finish := operations{logical.UpdateOperation: {summary: "Complete a rotation.", takes: finishRows.fields(), answers: readFields, handler: ro.finish, writes: true}}
	return []route{
		{"rotate", "Rotate the key that is presented: the holder's path.", rotateHelp, nil, operations{
			logical.UpdateOperation: {summary: "Rotate the key that is presented.", takes: takes.with(presentedKey), answers: rotateAnswer, handler: ro.byKey, writes: true},
		}},
		{"rotate/(?P<key_id>[^/]+)", "Rotate any key of the mount: the operator's path.", rotateHelp, keyID, byID},
		{ofOwner + "/rotate", "Rotate a key of this owner.", ownerHelp, ownerName.with(keyID), byID},
		{"rotate/(?P<key_id>[^/]+)/rollback", "Take the last rotation of a key back.", rollbackHelp, keyID, rollback},
		{ofOwner + "/rotate/rollback", "Take the last rotation of a key of this owner back.", rollbackHelp, ownerName.with(keyID), rollback},
		{ofStatic + "/rotate", "Rotate the key of a static name.", rotateHelp, static, byID},
		{ofStatic + "/rollback", "Take the last rotation of a static name's key back.", rollbackHelp, static, rollback},
		{ofStatic + "/finish", "Complete the last rotation of a static name's key.", finishHelp, static, finish},
		{"rotate/(?P<key_id>[^/]+)/finish", "Complete the last rotation of a key.", finishHelp, keyID, finish},
		{ofOwner + "/rotate/finish", "Complete the last rotation of a key of this owner.", finishHelp, ownerName.with(keyID), finish},
	}
}

func (ro Rotate) rollback(ctx context.Context, r request) (*logical.Response, error) {
	var req lifecycle.RollbackRequest
	if err := rollbackRows.take(r.in, &req); err != nil {
		return nil, err
	}
	k, err := ro.Rotator.Rollback(ctx, target(r.in), req)
	return ro.Answers.changed(ctx, k, err, "the old secret goes on working: if the rotation was made because it leaked, rotate again with grace_period=0")
}

func (ro Rotate) finish(ctx context.Context, r request) (*logical.Response, error) {
	var grace record.Seconds
	if err := finishRows.take(r.in, &grace); err != nil {
		return nil, err
	}
	k, err := ro.Rotator.Finish(ctx, target(r.in), grace)
	return ro.Answers.changed(ctx, k, err)
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
