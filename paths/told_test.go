package paths

import (
	"slices"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// told are the codes of the decisions that an observer hears of.
type told []verify.Code

func (t *told) Observe(o verify.Observation) { *t = append(*t, o.Decision.Code) }

func TestEachQuestionIsToldOnceWhereverItIsAsked(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	text := key["key"].(string)
	header := func(values ...string) map[string][]string { return map[string][]string{"X-Api-Key": values} }
	const read, write = logical.ReadOperation, logical.UpdateOperation
	for name, tc := range map[string]struct {
		op      logical.Operation
		path    string
		data    map[string]any
		headers map[string][]string
		want    []verify.Code
	}{
		"in a body":             {write, "verify", params{"key": text}, nil, []verify.Code{verify.Valid}},
		"in a header":           {read, "verify/web", nil, header("none"), []verify.Code{verify.Invalid}},
		"in a batch":            {write, "verify", params{"batch_input": []any{params{"key": text, "scopes": "x"}, params{}, params{"key": text}}}, nil, []verify.Code{verify.InsufficientScope, verify.Valid}},
		"by authorize":          {read, "authorize", nil, header(text), []verify.Code{verify.Valid}},
		"by authorize, twice":   {read, "authorize", nil, header(text, text), []verify.Code{verify.Invalid}},
		"by authorize, no key":  {read, "authorize/web", nil, nil, []verify.Code{verify.Invalid}},
		"on the holders' paths": {write, "revoke", params{"key": "none"}, nil, nil},
	} {
		var heard told
		sv.Verifier.Observer = &heard
		_, _ = sv.ask(t, tc.op, tc.path, tc.data, tc.headers)
		if !slices.Equal(heard, told(tc.want)) {
			t.Errorf("%s: told was %q", name, heard)
		}
	}
}
