package verdict

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/backend/verify"
)

func TestScopesInAHeaderAreWholeOrNotThere(t *testing.T) {
	t.Parallel()
	ask := func(scopes []string) map[string][]string {
		d := with(func(d *verify.Decision) { d.Key.Owner, d.Scopes = "acme", scopes })
		return Headers(&d)
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
