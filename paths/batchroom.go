package paths

import (
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verdict"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// How many bytes the answers to batches may have. A question has 95 bytes, an answer
// may have a megabyte: its key's scopes and metadata, and those of its ancestors.
// On the way to the client a byte takes about fifteen, half of them in Vault.
const (
	// maxBatchAnswer bounds one.
	maxBatchAnswer = 16 << 20
	// maxWrappedAnswer bounds one that Vault is to wrap, which it stores in one
	// entry: raft takes a megabyte, and quotes become longer in there.
	maxWrappedAnswer = 768 << 10
	// maxAnswering bounds all that a mount is putting together at a time.
	maxAnswering = 64 << 20
	// briefAnswer is what every item has for itself: a brief answer, that to an
	// unproven key and an error need no more, and so always fit.
	briefAnswer = verdict.MostBrief
)

// errNoRoom is returned for an item that would make an answer too long.
const errNoRoom record.Busy = "busy: the answers to batches are full; ask about this item in another batch, or with brief"

// room refuses a key whose answer does not fit, and holds the bytes of one
// that does.
func (b *batch) room(d verify.Description) error {
	size := verdict.Most(&d)
	if size-briefAnswer > b.left {
		return errNoRoom
	}
	if b.of.answering.Add(int64(size)) > maxAnswering {
		b.of.answering.Add(-int64(size))
		return errNoRoom
	}
	b.held += int64(size)
	return nil
}
