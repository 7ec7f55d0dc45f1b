package paths

import (
	"net/http"

	"github.com/hashicorp/vault/sdk/logical"
)

// batchAnswer is the answer to a batch in the form in which Vault sends answers,
// which Vault then passes on as it is. It would otherwise decode it into maps and
// encode it again, which is most of what a large batch costs. Vault's transit
// engine answers its batches in this way, too, when an item failed.
//
// Whoever asks sees no difference. The audit log has the whole body as one
// string; so that it still tells what was decided, it also gets what an auditor
// searches by, of all items in order and under the usual names.
//
// A wrapped answer goes the ordinary way: Vault wraps what is in Data.
func batchAnswer(r request, results []batchResult) (*logical.Response, error) {
	ordinary := answer(map[string]any{"batch_results": results})
	if r.WrapInfo != nil {
		return ordinary, nil
	}
	ordinary.MountType = r.MountType
	raw, err := logical.RespondWithStatusCode(ordinary, r.Request, http.StatusOK)
	if err != nil {
		return nil, err
	}
	// As bytes it crosses to Vault in base64, which is cheaper than all the escapes
	// of JSON within JSON.
	body, _ := raw.Data[logical.HTTPRawBody].(string)
	raw.Data[logical.HTTPRawBody] = []byte(body)
	ids, owners, codes := make([]string, len(results)), make([]string, len(results)), make([]string, len(results))
	statuses := make([]int, len(results))
	for i, result := range results {
		ids[i], owners[i], codes[i], statuses[i] = result.summary()
	}
	raw.Data["key_id"], raw.Data["owner"], raw.Data["code"], raw.Data["http_status"] = ids, owners, codes, statuses
	return raw, nil
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
