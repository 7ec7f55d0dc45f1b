package question

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/strict"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

const (
	// MaxBatch bounds the questions of one call.
	MaxBatch = 1000
	// batchTime bounds how long one call may wait for hashes. Vault gives up a
	// request after 90 s, and many clients after 60.
	batchTime = 30 * time.Second
)

// How many bytes the answers to batches may have. A question has 95 bytes, an answer
// may have a megabyte: its key's scopes and metadata, and those of its ancestors.
// On the way to the client a byte takes about fifteen, half of them in Vault.
const (
	// MaxAnswer bounds one.
	MaxAnswer = 16 << 20
	// MaxAnswering bounds all that are being put together at a time.
	MaxAnswering = 64 << 20
	// briefAnswer is what every item has for itself: a brief answer, that to an
	// unproven key and an error need no more, and so always fit.
	briefAnswer = verdict.MostBrief
)

// ErrNoRoom is returned for an item that would make an answer too long.
const ErrNoRoom record.Busy = "busy: the answers to batches are full; ask about this item in another batch, or with brief"

// Items are those of a batch, if the decoded parameters are one.
func Items(in map[string]any) (items []any, batch bool, err error) {
	if items, batch = in["batch_input"].([]any); !batch {
		return nil, false, nil
	}
	for name := range in {
		if name != "batch_input" && name != "role" {
			return nil, true, record.Mistake("batch_input must not stand beside other parameters")
		}
	}
	if len(items) < 1 || len(items) > MaxBatch {
		return nil, true, record.Mistakef("batch_input must have 1 to %d items", MaxBatch)
	}
	return items, true, nil
}

// Decide decides about one question.
type Decide func(ctx context.Context, r verify.Request) (verify.Decision, error)

// Batches answer many questions a call.
type Batches struct {
	// Tell is what stands in the place of an item that was not decided. Without a
	// status the error is that of the whole call.
	Tell      func(err error) (text string, status int)
	Answering atomic.Int64 // bytes of the batches that are being answered
}

// Batch is the answer to a batch while it is made.
type Batch struct {
	*verdict.Batch
	left int // bytes beyond those that every item has for itself
	of   *Batches
	ask  Decide
	held int64 // of all batches' bytes
}

// Answer decides about each item in order; the answer has at most so many bytes. An
// item that cannot be decided says so in its own place and spoils no other. Whoever
// gets a batch ends it.
func (bs *Batches) Answer(ctx context.Context, items []any, role string, most int, ask Decide) (*Batch, error) {
	limited, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	b := &Batch{Batch: verdict.NewBatch(len(items)), of: bs, ask: ask, left: most - len(items)*briefAnswer}
	for _, item := range items {
		d, brief, err := b.item(limited, item, role)
		if err == nil {
			b.took(b.Decided(&d, brief))
			continue
		}
		text, status := "", 0
		if ctx.Err() == nil { // else nobody listens any more
			text, status = bs.Tell(busy(limited, err))
		}
		if status == 0 {
			b.End()
			return nil, err
		}
		b.took(b.Undecided(text, status))
	}
	return b, nil
}

// End gives back what the batch held.
func (b *Batch) End() { b.of.Answering.Add(-b.held) }

func (b *Batch) item(ctx context.Context, item any, role string) (d verify.Decision, brief bool, err error) {
	data, ok := item.(map[string]any)
	if !ok {
		return d, false, record.Mistake("a batch item must be an object")
	}
	in, err := strict.Parameters(data, nil, Parameter)
	if err != nil {
		return d, false, err
	}
	key, err := Key(in)
	if err != nil {
		return d, false, err
	}
	q, err := Of(in, key, role)
	if err != nil {
		return d, false, err
	}
	if !q.Brief {
		q.Room = b.room
	}
	d, err = b.ask(ctx, q.Request)
	return d, q.Brief, err
}

// busy is what the end of a batch's time is to its items. Storage between processes has
// errors of its own for it.
func busy(limited context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || limited.Err() != nil && !errors.As(err, new(record.Mistake)) {
		return keyhash.ErrBusy
	}
	return err
}

// room refuses a key whose answer does not fit, and holds the bytes of one
// that does.
func (b *Batch) room(d verify.Description) error {
	size := verdict.Most(&d)
	if size-briefAnswer > b.left {
		return ErrNoRoom
	}
	if b.of.Answering.Add(int64(size)) > MaxAnswering {
		b.of.Answering.Add(-int64(size))
		return ErrNoRoom
	}
	b.held += int64(size)
	return nil
}

// took counts the bytes of an item that was added.
func (b *Batch) took(bytes int) { b.left -= max(0, bytes-briefAnswer) }
