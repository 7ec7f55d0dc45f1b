package keyhash

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNoPrinterSeesAHash(t *testing.T) {
	t.Parallel()
	text := vectors[0].phc
	p := Stored(text)
	type holder struct {
		Hash   PHC
		Ptr    *PHC
		hashes []PHC
	}
	for _, v := range []any{p, &p, holder{p, &p, []PHC{p}}, []PHC{p}, map[string]PHC{"p": p}} {
		shown := map[string]string{"error": fmt.Errorf("%w: %v", ErrMalformed, v).Error()}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%+q", "% x", "%U", "%t"} {
			shown[verb] = fmt.Sprintf(verb, v)
		}
		for name, encode := range map[string]func(*bytes.Buffer) error{
			"json":      func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(v) },
			"xml":       func(b *bytes.Buffer) error { return xml.NewEncoder(b).Encode(v) },
			"gob":       func(b *bytes.Buffer) error { return gob.NewEncoder(b).Encode(v) },
			"slog text": func(b *bytes.Buffer) error { slog.New(slog.NewTextHandler(b, nil)).Info("line", "v", v); return nil },
			"slog json": func(b *bytes.Buffer) error { slog.New(slog.NewJSONHandler(b, nil)).Info("line", "v", v); return nil },
		} {
			var b bytes.Buffer
			if err := encode(&b); err != nil {
				b.WriteString(err.Error())
			}
			shown[name] = b.String()
		}
		for how, out := range shown {
			for _, part := range strings.Split(text, "$")[4:] {
				if strings.Contains(out, part[:8]) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", part[:8])) {
					t.Errorf("%s of %T shows the hash", how, v)
				}
			}
		}
	}
	if p.String() != "[hash]" || (PHC{}).String() != "" {
		t.Errorf("a hash prints as %q, none as %q", p, PHC{})
	}
}

func TestAHashIsEncodedByNobodyElse(t *testing.T) {
	t.Parallel()
	if raw, err := json.Marshal(Stored(vectors[0].phc)); err == nil {
		t.Errorf("it was encoded as %s, and would be lost", raw)
	}
}

func TestAHashEqualsItselfOnly(t *testing.T) {
	t.Parallel()
	one := Stored(vectors[0].phc)
	for text, want := range map[string]bool{vectors[0].phc: true, vectors[1].phc: false, vectors[0].phc + " ": false, vectors[0].phc[1:]: false, "": false} {
		if other := Stored(text); one.Equal(other) != want || other.Equal(one) != want || other.Reveal() != text || other.None() != (text == "") {
			t.Errorf("%q equals it: %v", text, !want)
		}
	}
	if !Stored("").Equal(PHC{}) {
		t.Error("two that are none differ")
	}
}
