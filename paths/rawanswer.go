package paths

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// errNotWrapped is returned for an answer that Vault is to wrap, where there is a gate
// on the other side. It would not look into it.
const errNotWrapped record.Mistake = "the answer to a gate cannot be wrapped"

// rawAnswer is a response whose data are those JSON texts, in order and with nothing
// between them, in the form in which Vault sends answers, which Vault then passes on as
// it is. It would otherwise decode it into maps and encode it again, which is most of
// what a large answer costs.
//
// Whoever asks sees no difference. The audit log has the whole body as one string.
func rawAnswer(r request, data ...[]byte) (*logical.Response, error) {
	// All around the data is encoded by the SDK, and the data are put into it.
	around := answer(map[string]any{})
	around.MountType = r.MountType
	raw, err := logical.RespondWithStatusCode(around, r.Request, http.StatusOK)
	if err != nil {
		return nil, err
	}
	body, _ := raw.Data[logical.HTTPRawBody].(string)
	head, tail, ok := strings.Cut(body, `"data":{}`)
	if !ok {
		return nil, errors.New("the answer has no place for its data")
	}
	// As bytes it crosses to Vault in base64, which is cheaper than all the escapes
	// of JSON within JSON.
	pieces := slices.Concat([][]byte{[]byte(head), []byte(`"data":`)}, data, [][]byte{[]byte(tail)})
	raw.Data[logical.HTTPRawBody] = slices.Concat(pieces...)
	return raw, nil
}

// gateAnswer is the response to a gate: of makes what the two say to each other.
func gateAnswer[T any](r request, of func() (T, error)) (*logical.Response, error) {
	if r.WrapInfo != nil {
		return nil, errNotWrapped
	}
	said, err := of()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	return rawAnswer(r, data)
}
