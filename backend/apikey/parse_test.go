package apikey

import (
	"errors"
	"hash/crc32"
	"strings"
	"testing"
)

// withCRC returns text, whose last six bytes are replaced by the crc that
// makes them right: so that a test reaches the rule that it is about.
func withCRC(text string) string {
	b := []byte(text)
	at := len(b) - CRCLength
	putNumber(b[at:], uint64(crc32.ChecksumIEEE(b[:at])))
	return string(b)
}

func replaceAt(s string, at int, with string) string {
	return s[:at] + with + s[at+len(with):]
}

func TestMutationsOfALiveKeyAreMalformed(t *testing.T) {
	t.Parallel()
	const prefix = "acme_live"
	text := mustGenerate(t, testTagKey(t, 1), prefix, 1).Reveal()
	n, id, body := len(text), len(prefix)+1, len(prefix)+1+IDLength+1
	tag, crc := n-CRCLength-TagLength, n-CRCLength

	mutations := map[string]string{
		"empty":                     "",
		"leading space":             " " + text,
		"trailing space":            text + " ",
		"leading newline":           "\n" + text,
		"trailing newline":          text + "\n",
		"trailing CRLF":             text + "\r\n",
		"trailing tab":              text + "\t",
		"leading NUL":               "\x00" + text,
		"trailing NUL":              text + "\x00",
		"NUL inside":                replaceAt(text, body+9, "\x00"),
		"byte order mark":           "\ufeff" + text,
		"zero-width space":          text + "\u200b",
		"quoted":                    `"` + text + `"`,
		"bearer":                    "Bearer " + text,
		"basic":                     "Basic " + text,
		"two keys":                  text + "," + text,
		"two keys joined":           text + text,
		"upper case":                strings.ToUpper(text),
		"lower case":                strings.ToLower(text),
		"upper case prefix":         withCRC("ACME_live" + text[len(prefix):]),
		"one char less at the end":  text[:n-1],
		"one char less, right crc":  withCRC(text[:n-1]),
		"one char less in front":    text[1:],
		"one char more at the end":  text + "0",
		"one char more, right crc":  withCRC(text + "0"),
		"one char more in front":    "a" + text,
		"one char less in the id":   withCRC(text[:id] + text[id+1:]),
		"one char more in the id":   withCRC(text[:id] + "A" + text[id:]),
		"doubled underscore":        withCRC(prefix + "__" + text[id:]),
		"doubled body underscore":   withCRC(text[:body] + "_" + text[body:]),
		"leading underscore":        withCRC("_" + text),
		"trailing underscore":       text + "_",
		"hyphen for underscore":     withCRC(replaceAt(text, len(prefix), "-")),
		"hyphen before the body":    withCRC(replaceAt(text, body-1, "-")),
		"underscore in the id":      withCRC(replaceAt(text, id+3, "_")),
		"underscore in the body":    withCRC(replaceAt(text, body+10, "_")),
		"plus in the body":          withCRC(replaceAt(text, body+10, "+")),
		"slash in the body":         withCRC(replaceAt(text, body+10, "/")),
		"padding":                   text + "=",
		"no prefix":                 withCRC(text[len(prefix):]),
		"no prefix, no underscore":  withCRC(text[id:]),
		"prefix starts with digit":  withCRC("9" + text[1:]),
		"prefix with a dot":         withCRC(replaceAt(text, 2, ".")),
		"prefix of 33":              withCRC(strings.Repeat("a", 33) + text[len(prefix):]),
		"cyrillic a":                withCRC("а" + text[1:]),
		"cyrillic in the body":      withCRC(replaceAt(text, body+5, "а")),
		"full-width digit":          withCRC(replaceAt(text, body+5, "１")),
		"invalid utf-8":             withCRC(replaceAt(text, body+5, "\xff")),
		"percent-encoded":           strings.Replace(text, "_", "%5F", 1),
		"percent-encoded newline":   text + "%0a",
		"escaped":                   strings.Replace(text, "_", `\_`, 1),
		"query":                     "key=" + text,
		"path":                      "../" + text,
		"version 0":                 withCRC(replaceAt(text, body, "000")),
		"tag overflows by one":      withCRC(replaceAt(text, tag, "LygHa16AHYG")),
		"largest tag text":          withCRC(replaceAt(text, tag, "zzzzzzzzzzz")),
		"crc of zeros":              replaceAt(text, crc, "000000"),
		"crc overflows 32 bits":     replaceAt(text, crc, "zzzzzz"),
		"256 bytes":                 strings.Repeat("a", MaxLength-n) + text,
		"257 bytes":                 strings.Repeat("a", MaxLength+1-n) + text,
		"a megabyte":                strings.Repeat("a", 1<<20) + text,
		"only underscores":          strings.Repeat("_", n),
		"hint":                      Hint(prefix, text[id:id+IDLength]),
		"prefix and id":             text[:body-1],
		"prefix, id and underscore": text[:body],
		"reversed":                  reversed(text),
		"id and body exchanged":     withCRC(prefix + "_" + text[body:] + "_" + text[id:id+IDLength]),
	}
	for name, mutant := range mutations {
		k, err := Parse(Present(mutant))
		if err != ErrMalformed { // the bare sentinel: wrapping could say where
			t.Errorf("%s: got %v", name, err)
		}
		if !errors.Is(err, ErrMalformed) || k.Reveal() != "" || k.ID != "" {
			t.Errorf("%s: a refused text left something behind", name)
		}
	}
	if len(mutations) < 40 {
		t.Errorf("only %d mutations", len(mutations))
	}
}

func reversed(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	t.Parallel()
	text := mustGenerate(t, testTagKey(t, 1), "acme", 1).Reveal()
	for at := range len(text) {
		for c := range 256 {
			if byte(c) == text[at] {
				continue
			}
			if _, err := Parse(Present(replaceAt(text, at, string([]byte{byte(c)})))); err == nil {
				t.Fatalf("byte %d may be %#x", at, c)
			}
		}
	}
}

func TestALargestTagIsStillATag(t *testing.T) {
	t.Parallel()
	text := mustGenerate(t, testTagKey(t, 1), "acme", 1).Reveal()
	largest := withCRC(replaceAt(text, len(text)-CRCLength-TagLength, maxTag))
	if k, err := Parse(Present(largest)); err != nil || k.Reveal() != largest {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	tk := testTagKey(f, 1)
	for _, prefix := range []string{"a", "vak", "acme_live"} {
		text := mustGenerate(f, tk, prefix, 1).Reveal()
		f.Add(text)
		f.Add(text + "\n")
		f.Add(withCRC(replaceAt(text, len(text)-TagLength-CRCLength, "zzzzzzzzzzz")))
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		// The text as it is, and with the crc set right, which no mutator
		// would ever hit on.
		fuzzParse(t, text)
		if len(text) >= CRCLength {
			fuzzParse(t, withCRC(text))
		}
	})
}

func fuzzParse(t *testing.T, text string) {
	k, err := Parse(Present(text))
	if err != nil {
		if err != ErrMalformed || !k.text.None() {
			t.Fatalf("refused with %v", err)
		}
		return
	}
	if !ValidPrefix(k.Prefix) || !ValidID(k.ID) || k.Version < 1 || k.Version > MaxVersion {
		t.Fatalf("accepted %s version %d", k, k.Version)
	}
	// Put together again from what was read, it is the same text.
	out := []byte(k.Prefix + "_" + k.ID + "_")
	at := len(out)
	out = append(out, make([]byte, BodyLength)...)
	putNumber(out[at:at+VersionLength], uint64(k.Version))
	copy(out[at+VersionLength:], k.HashInput()[at+VersionLength:])
	putNumber(out[at+VersionLength+SecretLength:len(out)-CRCLength], number(k.tag()))
	if again := withCRC(string(out)); again != text || k.Reveal() != text {
		t.Fatalf("%q was read as %q", text, again)
	}
}
