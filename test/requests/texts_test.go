package requests

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// pairsOf is metadata of so many pairs, the first with a key and a value of so many bytes.
func pairsOf(count, key, value int) map[string]string {
	metadata := map[string]string{}
	if count > 0 {
		metadata[strings.Repeat("k", key)] = strings.Repeat("v", value)
	}
	for i := 1; i < count; i++ {
		metadata[fmt.Sprintf("pair%d", i)] = "v"
	}
	return metadata
}

func TestMetadataHasItsLimits(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	control := []string{"\x00", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\u0085", "\u200b", "\u2028", "\u202e", "\ufeff", "\ue000", "\u00ad"}
	before := e.Stored(t)
	for _, path := range []string{"issue/web", "roles/web", "keys/" + k.ID, "owners/acme/keys/" + k.ID} {
		for _, metadata := range []map[string]string{pairsOf(33, 1, 1), pairsOf(1, 65, 1), pairsOf(1, 1, 513), pairsOf(1, 0, 1), {strings.Repeat("é", 33): ""}, {"a": strings.Repeat("é", 257)}} {
			wantRefused(t, e, 400, path, fields{"metadata": metadata}, "metadata")
		}
		for _, c := range control {
			wantRefused(t, e, 400, path, fields{"metadata": fields{"a": "b" + c}}, "metadata")
			wantRefused(t, e, 400, path, fields{"metadata": fields{"a" + c: "b"}}, "metadata")
		}
	}
	e.WantStored(t, before)
	for _, path := range []string{"issue/web", "roles/web", "keys/" + k.ID, "owners/acme/keys/" + k.ID} {
		for _, metadata := range []map[string]string{pairsOf(0, 0, 0), pairsOf(32, 64, 512), pairsOf(1, 1, 0), {strings.Repeat("é", 32): strings.Repeat("é", 256)}, {"a b=c": "日本 =😀"}} {
			got, _ := e.Write(t, path, fields{"metadata": metadata})["metadata"].(map[string]any)
			if len(got) != len(metadata) {
				t.Errorf("%s answers %d pairs of %d", path, len(got), len(metadata))
			}
			for name, value := range metadata {
				if got[name] != value {
					t.Errorf("%s answers %q as %q", path, value, got[name])
				}
			}
		}
	}
}

func TestTextsHaveTheirLimits(t *testing.T) {
	e := mounted(t)
	k := e.Issue(t, "web", "acme")
	for _, row := range []struct {
		path, name string
		limit      int
	}{{"issue/web", "name", 128}, {"keys/" + k.ID, "name", 128}, {"roles/web", "description", 1024}, {"revoke/" + e.Issue(t, "web", "acme").ID, "reason", 256}} {
		before := e.Stored(t)
		for _, text := range []string{
			strings.Repeat("x", row.limit+1), strings.Repeat("é", row.limit/2) + "x", "a\nb", "a\x00", "\x1b]0;title\a", "\u202etxt", "a\u2028b", "\r",
		} {
			wantRefused(t, e, 400, row.path, fields{row.name: text}, row.name)
		}
		e.WantStored(t, before)
		for _, text := range []string{"", "x", strings.Repeat("é", row.limit/2), strings.Repeat("x", row.limit)} {
			if row.name == "reason" {
				row.path = "revoke/" + e.Issue(t, "web", "acme").ID
			}
			data := e.Write(t, row.path, fields{row.name: text})
			got := data[row.name]
			if row.name == "reason" {
				got = data["revoke_reason"]
			}
			if got != text {
				t.Errorf("%s: %s %.20q… is answered as %.20q…", row.path, row.name, text, got)
			}
		}
	}
}

// TestAFormWithBytesThatAreNoUTF8StoresNone goes around JSON, which has no way to say such bytes.
func TestAFormWithBytesThatAreNoUTF8StoresNone(t *testing.T) {
	e := mounted(t)
	for _, body := range []string{"name=%ff", "name=a%c0%af", "owner=%ff", "metadata=a=%ff", "metadata=%ff=a", "%ff=1", "scopes=read:%ff"} {
		r := e.Ask(t, "POST", "issue/web", body, "Content-Type: application/x-www-form-urlencoded")
		if r.Status != 400 && r.Status != 200 {
			t.Errorf("%s: %d: %s", body, r.Status, shown(r))
		}
	}
	for path, value := range e.Stored(t) {
		if !utf8.ValidString(value) {
			t.Errorf("the stored entry %s is no UTF-8", path)
		}
	}
}
