package paths

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"
)

// batch is the answer to a batch while it is made. Each item is encoded as soon as
// it is decided: what is kept of it is what is answered, and nothing else.
type batch struct {
	encoded bytes.Buffer // the items, with commas between them
	encoder *json.Encoder
	left    int // bytes beyond those that every item has for itself
	of      *Services
	held    int64 // of all batches' bytes

	// What the audit log gets.
	ids, owners, codes []string
	statuses           []int
}

// usualAnswer is what an item takes as a rule.
const usualAnswer = 448

func (sv *Services) newBatch(r request, items int) *batch {
	b := &batch{of: sv, left: maxBatchAnswer}
	if r.WrapInfo != nil {
		b.left = maxWrappedAnswer
	}
	b.left -= items * briefAnswer
	b.encoder = json.NewEncoder(&b.encoded)
	b.encoded.Grow(items * usualAnswer)
	b.ids, b.owners, b.codes, b.statuses = make([]string, 0, items), make([]string, 0, items), make([]string, 0, items), make([]int, 0, items)
	return b
}

// end gives back what the batch held. Whoever began it ends it.
func (b *batch) end() { b.of.answering.Add(-b.held) }

// add takes an item's answer.
func (b *batch) add(result batchResult) error {
	if len(b.ids) > 0 {
		b.encoded.WriteByte(',')
	}
	before := b.encoded.Len()
	if err := b.encoder.Encode(result); err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	b.encoded.Truncate(b.encoded.Len() - len("\n"))
	b.left -= max(0, b.encoded.Len()-before-briefAnswer)
	id, owner, code, status := result.summary()
	b.ids, b.owners, b.codes, b.statuses = append(b.ids, id), append(b.owners, owner), append(b.codes, code), append(b.statuses, status)
	return nil
}

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
	raw.Data[logical.HTTPRawBody] = slices.Concat([]byte(head+`"`+batchResults+`":[`), b.encoded.Bytes(), []byte("]"+tail))
	raw.Data["key_id"], raw.Data["owner"], raw.Data["code"], raw.Data["http_status"] = b.ids, b.owners, b.codes, b.statuses
	return raw, nil
}

const batchResults = "batch_results"

// ordinary is the answer in Data.
func (b *batch) ordinary() (*logical.Response, error) {
	var results []map[string]any
	decoder := json.NewDecoder(strings.NewReader("[" + b.encoded.String() + "]"))
	decoder.UseNumber()
	if err := decoder.Decode(&results); err != nil {
		return nil, fmt.Errorf("decode a batch's answer: %w", err)
	}
	return answer(map[string]any{batchResults: results}), nil
}

// batchResult is what became of one item.
type batchResult interface {
	// summary is what the audit log tells of it: empty and 4xx or 5xx for an item
	// that was not decided.
	summary() (keyID, owner, code string, httpStatus int)
}

func (v *verdict) summary() (keyID, owner, code string, httpStatus int) {
	if v.shownKey != nil {
		keyID, owner = v.KeyID, v.Owner
	}
	return keyID, owner, v.Code, v.HTTPStatus
}

// undecided is an item that could not be decided.
type undecided struct {
	Error      string `json:"error"`
	HTTPStatus int    `json:"http_status"`
}

func (u undecided) summary() (keyID, owner, code string, httpStatus int) {
	return "", "", "", u.HTTPStatus
}
