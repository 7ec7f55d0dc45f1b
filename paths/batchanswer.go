package paths

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

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

// batch is the answer to a batch while it is made.
type batch struct {
	*verdict.Batch
	left int // bytes beyond those that every item has for itself
	of   *Verify
	held int64 // of all batches' bytes
}

func (vs *Verify) newBatch(r request, items int) *batch {
	b := &batch{Batch: verdict.NewBatch(items), of: vs, left: maxBatchAnswer}
	if r.WrapInfo != nil {
		b.left = maxWrappedAnswer
	}
	b.left -= items * briefAnswer
	return b
}

// end gives back what the batch held. Whoever began it ends it.
func (b *batch) end() { b.of.answering.Add(-b.held) }

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

// took counts the bytes of an item that was added.
func (b *batch) took(bytes int) { b.left -= max(0, bytes-briefAnswer) }

// answer is the answer to a batch in the form in which Vault sends answers,
// which Vault then passes on as it is. It would otherwise decode it into maps and
// encode it again, which is most of what a large batch costs. Vault's transit
// engine answers its batches in this way, too, when an item failed.
//
// Whoever asks sees no difference. The audit log has the whole body as one
// string; so that it still tells what was decided, it also gets what an auditor
// searches by, of all items in order and under the usual names.
//
// A wrapped answer goes the ordinary way: Vault wraps what is in Data.
func (b *batch) answer(r request) (*logical.Response, error) {
	if r.WrapInfo != nil {
		return b.ordinary()
	}
	// All around the items is encoded by the SDK, and the items are put into it.
	around := answer(map[string]any{batchResults: []struct{}{}})
	around.MountType = r.MountType
	raw, err := logical.RespondWithStatusCode(around, r.Request, http.StatusOK)
	if err != nil {
		return nil, err
	}
	body, _ := raw.Data[logical.HTTPRawBody].(string)
	head, tail, ok := strings.Cut(body, `"`+batchResults+`":[]`)
	if !ok {
		return nil, fmt.Errorf("the answer has no place for %s", batchResults)
	}
	// As bytes it crosses to Vault in base64, which is cheaper than all the escapes
	// of JSON within JSON.
	raw.Data[logical.HTTPRawBody] = slices.Concat([]byte(head+`"`+batchResults+`":`), b.JSON(), []byte(tail))
	raw.Data["key_id"], raw.Data["owner"], raw.Data["code"], raw.Data["http_status"] = b.KeyIDs, b.Owners, b.Codes, b.Statuses
	return raw, nil
}

const batchResults = "batch_results"

// ordinary is the answer in Data.
func (b *batch) ordinary() (*logical.Response, error) {
	var results []map[string]any
	decoder := json.NewDecoder(bytes.NewReader(b.JSON()))
	decoder.UseNumber()
	if err := decoder.Decode(&results); err != nil {
		return nil, fmt.Errorf("decode a batch's answer: %w", err)
	}
	return answer(map[string]any{batchResults: results}), nil
}
