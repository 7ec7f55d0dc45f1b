package apikey

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%+q", "% x", "%U", "%t"}

// leaks reports whether out holds eight bytes of secret in a row, as they are
// or in hex.
func leaks(out, secret string) bool {
	out = strings.ToLower(out)
	for i := range len(secret) - 7 {
		part := strings.ToLower(secret[i : i+8])
		if strings.Contains(out, part) ||
			strings.Contains(strings.ReplaceAll(out, " ", ""), hex.EncodeToString([]byte(secret[i:i+8]))) {
			return true
		}
	}
	return false
}

func allOutputs(t *testing.T, values ...any) map[string]string {
	t.Helper()
	out := map[string]string{}
	for i, v := range values {
		for _, verb := range verbs {
			out[fmt.Sprintf("%d %s", i, verb)] = fmt.Sprintf(verb, v)
		}
		if b, err := json.Marshal(v); err == nil {
			out[fmt.Sprintf("%d json", i)] = string(b)
		}
		if b, err := xml.Marshal(v); err == nil {
			out[fmt.Sprintf("%d xml", i)] = string(b)
		}
		var buf bytes.Buffer
		if err := gob.NewEncoder(&buf).Encode(v); err == nil {
			out[fmt.Sprintf("%d gob", i)] = buf.String()
		}
		for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var buf bytes.Buffer
			slog.New(handler(&buf)).Info("line", "value", v)
			out[fmt.Sprintf("%d slog %s", i, name)] = buf.String()
		}
	}
	return out
}

func TestNoPrinterSeesTheBodyOfAKey(t *testing.T) {
	t.Parallel()
	k := mustGenerate(t, testTagKey(t, 1), "acme_live", 1)
	text := k.Reveal()
	body := text[len(text)-BodyLength:]
	type holder struct {
		Key  Key
		Ptr  *Key
		keys []Key
	}
	for how, out := range allOutputs(t, k, &k, holder{k, &k, []Key{k}}, []Key{k}, map[string]Key{"k": k}) {
		if leaks(out, body) {
			t.Errorf("%s shows the key", how)
		}
	}
	if got := k.String(); got != Hint(k.Prefix, k.ID) {
		t.Errorf("a key prints as %q", got)
	}
}

func TestNoPrinterSeesWhatIsPresented(t *testing.T) {
	t.Parallel()
	text := mustGenerate(t, testTagKey(t, 1), "acme_live", 1).Reveal()
	p := Present(text)
	type holder struct {
		Key  Presented
		Ptr  *Presented
		keys []Presented
	}
	for how, out := range allOutputs(t, p, &p, holder{p, &p, []Presented{p}}, []Presented{p}, map[string]any{"key": p}) {
		if leaks(out, text) {
			t.Errorf("%s shows the text", how)
		}
	}
	if p.String() != "[presented]" || (Presented{}).String() != "" || !Present("").None() || p.Reveal() != text {
		t.Errorf("it prints as %q, nothing as %q", p, Presented{})
	}
	if raw, err := json.Marshal(p); err == nil {
		t.Errorf("it was encoded as %s", raw)
	}
}

func TestNoPrinterSeesATagKey(t *testing.T) {
	t.Parallel()
	secret := "0123456789abcdefghijklmnopqrstuv"
	tk, err := NewTagKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	tk.Genuine(mustGenerate(t, tk, "acme", 1)) // so that the pool is filled
	type holder struct{ Tag *TagKey }
	for how, out := range allOutputs(t, tk, *tk, holder{tk}, []*TagKey{tk}) {
		decimal := strings.Trim(fmt.Sprint([]byte(secret[:8])), "[]")
		if leaks(out, secret) || strings.Contains(out, decimal) {
			t.Errorf("%s shows the tag key", how)
		}
	}
}

func TestTheZeroKeyIsSafe(t *testing.T) {
	t.Parallel()
	var k Key
	if k.Reveal() != "" || k.HashInput() != "" || k.String() != "" || testTagKey(t, 1).Genuine(k) {
		t.Error("the zero key is not empty")
	}
}
