package paths

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

func TestScopesInAHeaderAreWholeOrNotThere(t *testing.T) {
	t.Parallel()
	sv, key := issued(t)
	sv.role(t, "web", func(r *record.Role) { r.AllowedScopes = []string{"*"} })
	ask := func(scopes []string) map[string][]string {
		var list any = []any{}
		if len(scopes) > 0 {
			list = scopes
		}
		sv.must(t, logical.UpdateOperation, "keys/"+key["key_id"].(string), params{"scopes": list})
		return sv.must(t, logical.UpdateOperation, "authorize", params{"key": key["key"]}).Headers
	}
	room := maxHeaders - headLength(ask(nil))
	filling := func(n int) (scopes []string) {
		for ; n > 200; n -= 101 {
			scopes = append(scopes, fmt.Sprintf("%0100d", n))
		}
		return append(scopes, strings.Repeat("x", n))
	}
	most := ask(filling(room))
	if headLength(most) != maxHeaders || len(most["X-Apikey-Scopes"][0]) != room || most["X-Apikey-Scopes-Omitted"] != nil {
		t.Errorf("scopes that fit are %v", most)
	}
	for _, scopes := range [][]string{filling(room + 1), filling(12000)} {
		got := ask(scopes)
		if headLength(got) > maxHeaders || !slices.Equal(got["X-Apikey-Scopes"], []string{""}) || !slices.Equal(got["X-Apikey-Scopes-Omitted"], []string{"true"}) || got["X-Apikey-Owner"][0] != "acme" {
			t.Errorf("with too many scopes the headers are %.3000v", got)
		}
	}
}
