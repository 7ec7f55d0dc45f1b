package paths

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/question"
	"vault-plugin-secrets-apikeys/backend/store"
)

// maxWrappedAnswer bounds an answer that Vault is to wrap, which it stores in one
// entry: raft takes a megabyte, and quotes become longer in there.
const maxWrappedAnswer = 768 << 10

// batch decides about each item in order.
func (vs *Verify) batch(ctx context.Context, r request, items []any) (*logical.Response, error) {
	most := question.MaxAnswer
	if r.WrapInfo != nil {
		most = maxWrappedAnswer
	}
	b, err := vs.batches.Answer(ctx, items, r.in.word("role"), most, vs.Verifier.Verify)
	if err != nil {
		return nil, err
	}
	defer b.End()
	return batchAnswer(r, b)
}

// batchItem is what stands in the place of an item that was not decided. When only
// the node that may write can answer, the whole call goes there.
func (vs *Verify) batchItem(err error) (text string, status int) {
	if store.Elsewhere(err) {
		return "", 0
	}
	return tell(vs.Log, err)
}

// batchAnswer is the answer to a batch. The audit log has its body as one string; so that it
// still tells what was decided, it also gets what an auditor searches by, of all items
// in order and under the usual names. Vault's transit engine answers its batches in this
// way, too, when an item failed.
//
// A wrapped answer goes the ordinary way: Vault wraps what is in Data.
func batchAnswer(r request, b *question.Batch) (*logical.Response, error) {
	if r.WrapInfo != nil {
		return ordinary(b)
	}
	raw, err := rawAnswer(r, []byte(`{"`+batchResults+`":`), b.JSON(), []byte("}"))
	if err != nil {
		return nil, err
	}
	raw.Data["key_id"], raw.Data["owner"], raw.Data["code"], raw.Data["http_status"] = b.KeyIDs, b.Owners, b.Codes, b.Statuses
	return raw, nil
}

const batchResults = "batch_results"

// ordinary is the answer in Data.
func ordinary(b *question.Batch) (*logical.Response, error) {
	var results []map[string]any
	decoder := json.NewDecoder(bytes.NewReader(b.JSON()))
	decoder.UseNumber()
	if err := decoder.Decode(&results); err != nil {
		return nil, fmt.Errorf("decode a batch's answer: %w", err)
	}
	return answer(map[string]any{batchResults: results}), nil
}
