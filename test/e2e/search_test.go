package e2e

import (
	"encoding/base64"
	"testing"
)

// part is how many characters of a key's secret must not show anywhere.
const part = 8

// search finds parts of keys in text, also where the text is base64 of something that holds them.
type search map[[part]byte]string

// add looks for a key from now on; what names it in messages.
func (s search) add(what, key string) {
	// All that is not public: secret, tag and crc. A key that was cut short on purpose has less of it.
	s.addSecret(what, key[max(0, min(len(key)-60, len(key)-part)):])
}

func (s search) addSecret(what, secret string) {
	s.windows(what, secret)
	for shift := range 3 {
		// The characters at the ends also depend on what stands beside.
		coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		s.windows(what, coded[4:len(coded)-2])
	}
}

func (s search) windows(what, text string) {
	for i := range len(text) - part + 1 {
		s[[part]byte([]byte(text[i:i+part]))] = what
	}
}

// find is what the first key is called of which the text holds a part, and the text before it.
func (s search) find(text []byte) (what, before string, found bool) {
	for i := range len(text) - part + 1 {
		if what, found = s[[part]byte(text[i:i+part])]; found {
			return what, string(text[max(0, i-200):i]), true
		}
	}
	return "", "", false
}

func (s search) wantNothing(t *testing.T, where string, text []byte) {
	t.Helper()
	if what, before, found := s.find(text); found {
		t.Errorf("%s holds a part of %s after: %s", where, what, before)
	}
}

func TestTheSearchFindsEightCharactersAndNoFewer(t *testing.T) {
	s := search{}
	const secret = "kT9rWq2Lw7bXcVn4MzPf8sYhJg3dKe6RtAuQiOy5xCv1B"
	s.addSecret("a key", secret)
	for i := range len(secret) - part {
		some := secret[i : i+part]
		if _, _, found := s.find([]byte("before " + some + " after")); !found {
			t.Errorf("%q was not found", some)
		}
		if _, _, found := s.find([]byte("before " + some[1:] + " after")); found {
			t.Errorf("%q was found", some[1:])
		}
	}
	for _, before := range []string{"", "x", "xy", "xyz"} {
		coded := base64.StdEncoding.EncodeToString([]byte(before + secret + "and more"))
		if what, _, found := s.find([]byte(coded)); !found || what != "a key" {
			t.Errorf("the secret was not found in base64 after %q", before)
		}
	}
}
