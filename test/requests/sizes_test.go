package requests

import (
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// generous lets through to the plugin what Vault would refuse by itself.
const generous = `max_request_size = 134217728
  max_json_depth = 100000
  max_json_token = 100000000
  max_json_string_value_length = 134217728
  max_json_object_entry_count = 1000000
  max_json_array_element_count = 1000000`

// sized is a request with a text of many bytes, {}, and what it is answered with.
type sized struct {
	path, body string
	status     int
}

// largest are sent with texts of any size, wide with texts of up to a megabyte: each costs Vault a while.
var (
	largest = []sized{{"verify", `{"key": "{}"}`, 200}, {"rotate", `{"key": "{}"}`, 404}, {"issue/web", `{"scopes": "{}"}`, 400}, {"issue/web", `{"{}": 1}`, 400}}
	wide    = append([]sized{
		{"verify/web", `{"key": "{}"}`, 200}, {"revoke", `{"key": "{}"}`, 404}, {"issue/web", `{"owner": "{}"}`, 400}, {"issue/web", `{"ttl": "{}"}`, 400},
		{"issue/web", `{"bound_cidrs": "{}"}`, 400}, {"issue", `{"role": "{}"}`, 400}, {"verify", `{"key": "x", "client_ip": "{}"}`, 400}, {"verify", `{"key": "x", "scopes": ["{}"]}`, 400},
		{"roles/web", `{"prefix": "{}"}`, 400}, {"roles/web", `{"owner_template": "{}"}`, 400}, {"config", `{"verify_cache_size": "{}"}`, 400}, {"tidy", `{"x": "{}"}`, 400},
	}, largest...)
)

func TestLargeAndDeepInputsAreRefusedAndEndNothing(t *testing.T) {
	s := harness.Start(t, harness.Options{Plugin: true, Listener: generous})
	e := surface.New(t, s)
	k := e.Issue(t, "web", "acme")
	before, pids := e.Stored(t), e.PluginPIDs(t)
	for _, size := range []int{257, 300, 4096, 1 << 20} {
		for _, row := range wide {
			wantSized(t, e, row, strings.Repeat("A", size))
		}
	}
	for _, row := range largest {
		wantSized(t, e, row, strings.Repeat("A", 20<<20))
	}
	for _, row := range []sized{
		{"issue/web", `{"name": "{}"}`, 400}, {"keys/" + k.ID, `{"name": "{}"}`, 400}, {"keys/" + k.ID, `{"metadata": {"a": "{}"}}`, 400},
		{"keys/" + k.ID, `{"metadata": {"{}": "a"}}`, 400}, {"revoke/" + k.ID, `{"reason": "{}"}`, 400}, {"roles/web", `{"description": "{}"}`, 400},
	} {
		wantSized(t, e, row, strings.Repeat("A", 1<<20))
	}
	deepAndWide(t, e, k)
	e.WantStored(t, before)
	wantSameProcess(t, e, pids)
	e.WantCode(t, "valid", k.Text)
}

// wantSized looks at the answer's size too: what was sent is not sent back.
func wantSized(t *testing.T, e surface.Engine, row sized, text string) {
	t.Helper()
	r := e.Ask(t, "POST", row.path, strings.Replace(row.body, "{}", text, 1))
	if r.Status != row.status || len(r.Raw) > 400 || r.Status == 200 && r.Data()["code"] != "invalid" {
		t.Errorf("POST %s %s with %d bytes: %d with %d bytes, wanted %d: %s", row.path, row.body, len(text), r.Status, len(r.Raw), row.status, shown(r))
	}
}

// nested is a JSON value in so many lists or objects.
func nested(open, end string, depth int) string {
	return strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth)
}

// many is so many members.
func many(member string, count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, member, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func deepAndWide(t *testing.T, e surface.Engine, k surface.Key) {
	t.Helper()
	list, object := many(`"read:%d",`, 50_000), many(`"n%d": "v",`, 50_000)
	for _, path := range []string{"issue/web", "keys/" + k.ID, "roles/web", "verify", "rotate", "rotate/" + k.ID, "tidy"} {
		for _, name := range []string{"scopes", "metadata", "key", "x"} {
			for _, value := range []string{nested("[", "]", 299), nested(`{"a":`, "}", 299), nested("[", "]", 5000), nested(`{"a":`, "}", 5000)} {
				wantSized(t, e, sized{path, fmt.Sprintf(`{%q: %s}`, name, value), 400}, "")
			}
		}
	}
	for _, row := range []sized{
		{"issue/web", `{` + object + `}`, 400}, {"issue/web", `{"scopes": [` + list + `]}`, 400}, {"issue/web", `{"bound_cidrs": [` + list + `]}`, 400},
		{"issue/web", `{"metadata": {` + object + `}}`, 400}, {"roles/web", `{"allowed_scopes": [` + list + `]}`, 400}, {"tidy", `{` + object + `}`, 400},
		{"verify", fmt.Sprintf(`{"key": %q, "scopes": [%s]}`, k.Text, list), 400}, {"verify", `{"key": [` + list + `]}`, 400},
	} {
		wantSized(t, e, row, "")
	}
}
