package apikey

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"testing"
)

// The golden keys pin the form for ever: keys in the field must parse and be
// genuine in every later release. They come from fixed randomness and the tag
// key 0x07×32, and are worthless.
var goldenKeys = []struct {
	prefix  string
	version int
	text    string
}{
	{"vak", 1, "vak_F8h8PhiQJvLPFj1M_001G0crGbpiNPCjwqJKqZooS7vLuTA3PvQG6hHo8ZzLCyz2kPyTkpqhrW18jIeb"},
	{"acme_live", 2, "acme_live_wqOT08KXsyzN42l6_002nSO0sFkM1vmVuTUjYT6cZtTYsFBwFKjfFMKMBJHAQTEDz8JoOlrFFo2bK0HG"},
	{"a", 62, "a_GNsy8jJJVj2arkOH_010s4LSrhOqapGDMteNJLOSlpAcoiyG3L3zoSeZMIzkRYj5sguSkUIUo43u3FPN"},
	{"a23456789_b23456789_c23456789_d2", 238327, "a23456789_b23456789_c23456789_d2_iPVI5FCWQ73zKCps_zzz1H6BMh14yEEcWb1ikYXYOQFJ4U2QJ6R21Mt17ZJjlHl0j9Hz0xXG2Z2rhhfj"},
}

// base62 converts by long division, unlike the code under test. big.Int's own
// base 62 has the lower case first, so the letters are exchanged.
func base62(n *big.Int, width int) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, n.Text(62))
	return strings.Repeat("0", width-len(text)) + text
}

func TestGoldenKeys(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("\x07", TagKeyLength)
	tk, err := NewTagKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range goldenKeys {
		random := fixedRandom(fmt.Sprintf("golden %d", i))
		id, err := NewID(random)
		if err != nil {
			t.Fatal(err)
		}
		made, err := Generate(random, tk, g.prefix, id, g.version)
		if err != nil {
			t.Fatal(err)
		}
		if made.Reveal() != g.text {
			t.Errorf("key %d: made %s", i, made.Reveal())
			continue
		}
		k, err := Parse(Present(g.text))
		if err != nil || k.Prefix != g.prefix || k.Version != g.version || !tk.Genuine(k) {
			t.Errorf("key %d: read as %s version %d, %v", i, k, k.Version, err)
		}

		n := len(g.text)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(g.text[:n-17]))
		if tag := base62(new(big.Int).SetBytes(mac.Sum(nil)[:8]), 11); tag != g.text[n-17:n-6] {
			t.Errorf("key %d: the tag is %s", i, tag)
		}
		crc := crc32.ChecksumIEEE([]byte(g.text[:n-6]))
		if crc := base62(big.NewInt(int64(crc)), 6); crc != g.text[n-6:] {
			t.Errorf("key %d: the crc is %s", i, crc)
		}
		if v := base62(big.NewInt(int64(g.version)), 3); v != g.text[n-63:n-60] {
			t.Errorf("key %d: the version is %s", i, v)
		}
	}
}
