package paths

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

const (
	// maxBatch bounds the questions of one call.
	maxBatch = 1000
	// batchTime bounds how long one call may wait for hashes. Vault gives up a
	// request after 90 s, and many clients after 60.
	batchTime = 30 * time.Second
)

// batch decides about each item in order. An item that cannot be decided
// says so in its own place and spoils no other.
func (vs *Verify) batch(ctx context.Context, r request) (*logical.Response, error) {
	for name := range r.in {
		if name != "batch_input" && name != "role" {
			return nil, record.Mistake("batch_input must not stand beside other parameters")
		}
	}
	items, role := get[[]any](r.in, "batch_input"), r.in.word("role")
	if len(items) < 1 || len(items) > maxBatch {
		return nil, record.Mistakef("batch_input must have 1 to %d items", maxBatch)
	}
	limited, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	b := vs.newBatch(r, len(items))
	defer b.end()
	for _, item := range items {
		d, brief, err := vs.item(limited, item, role, b.room)
		if err != nil && ctx.Err() == nil && limited.Err() != nil && !errors.As(err, new(record.Mistake)) {
			err = limited.Err() // storage between processes has errors of its own for this
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err // nobody listens any more
		case elsewhere(err):
			return nil, err // the whole call goes to the node that may write
		case err != nil:
			b.took(b.Undecided(vs.itemError(err)))
		default:
			b.took(b.Decided(&d, brief))
		}
	}
	return b.answer(r)
}

func (vs *Verify) item(ctx context.Context, item any, role string, room func(verify.Description) error) (d verify.Decision, brief bool, err error) {
	data, ok := item.(map[string]any)
	if !ok {
		return d, false, record.Mistake("a batch item must be an object")
	}
	in, err := decode(questionFields, data, nil)
	if err != nil {
		return d, false, err
	}
	key, err := in.key()
	if err != nil {
		return d, false, err
	}
	q, err := asked(in, key, role)
	if err != nil {
		return d, false, err
	}
	if !q.brief {
		q.Room = room
	}
	d, err = vs.Verifier.Verify(ctx, q.Request)
	return d, q.brief, err
}

// itemError is what stands in the place of an item that was not decided.
func (vs *Verify) itemError(err error) (text string, status int) {
	if errors.Is(err, context.DeadlineExceeded) {
		err = keyhash.ErrBusy
	}
	return tell(vs.Log, err)
}
