package apikey

import (
	"bytes"
	"crypto/rand"
	"strings"
	"sync"
	"testing"
)

func TestATagKeyHas32Bytes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 31, 33, 64} {
		if tk, err := NewTagKey(make([]byte, n)); err == nil || tk != nil {
			t.Errorf("%d bytes were accepted", n)
		}
	}
}

func TestATagKeyKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{1}, TagKeyLength)
	tk, err := NewTagKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	k := mustGenerate(t, tk, "acme", 1)
	clear(secret)
	if !tk.Genuine(k) || !testTagKey(t, 1).Genuine(k) {
		t.Error("the tag key changed with its caller's bytes")
	}
}

func TestOnlyTheTagKeyThatMadeAKeyFindsItGenuine(t *testing.T) {
	t.Parallel()
	k := mustGenerate(t, testTagKey(t, 1), "acme", 1)
	if testTagKey(t, 2).Genuine(k) {
		t.Error("another mount's key is genuine")
	}
	var none *TagKey
	if none.Genuine(k) || (&TagKey{}).Genuine(k) {
		t.Error("a tag key without secret finds a key genuine")
	}
}

func TestAKeyWithRightCRCAndWrongTagIsNotGenuine(t *testing.T) {
	t.Parallel()
	tk := testTagKey(t, 1)
	text := mustGenerate(t, tk, "acme", 1).Reveal()
	for at := range len(text) - CRCLength {
		c := byte('0')
		if text[at] == c {
			c = '1'
		}
		k, err := Parse(Present(withCRC(replaceAt(text, at, string(c)))))
		if err != nil {
			continue // a rule of the grammar was faster
		}
		if tk.Genuine(k) {
			t.Errorf("byte %d is not under the tag", at)
		}
	}
}

// The version and the prefix are under the tag, so nobody can present the key
// of one version as another's.
func TestTheTagCoversPrefixAndVersion(t *testing.T) {
	t.Parallel()
	tk := testTagKey(t, 1)
	text := mustGenerate(t, tk, "acme_live", 1).Reveal()
	for name, forged := range map[string]string{
		"prefix":  withCRC("acme_test" + text[9:]),
		"shorter": withCRC("acme" + text[9:]),
		"version": withCRC(replaceAt(text, len(text)-BodyLength, "002")),
	} {
		k, err := Parse(Present(forged))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tk.Genuine(k) {
			t.Errorf("another %s is genuine", name)
		}
	}
}

func TestOneTagKeyServesManyGoroutines(t *testing.T) {
	t.Parallel()
	tk, other := testTagKey(t, 1), testTagKey(t, 2)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				id, err := NewID(rand.Reader)
				if err != nil {
					t.Error(err)
					return
				}
				k, err := Generate(rand.Reader, tk, "acme", id, 1)
				if err != nil || !tk.Genuine(k) || other.Genuine(k) {
					t.Error("a tag was mixed up")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTheIDForARequestIsTheSameForTheSameRequestOfTheSameMount(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, mount := range []byte{1, 2} {
		tk, err := NewTagKey(bytes.Repeat([]byte{mount}, TagKeyLength))
		if err != nil {
			t.Fatal(err)
		}
		for _, request := range []string{"", "a", "b", "8b2f3c1e-7c38-31a5-9b0f-0d0f3a3a1a11", strings.Repeat("x", 5000)} {
			id, err := tk.IDFor(request)
			again, errAgain := tk.IDFor(request)
			if err != nil || errAgain != nil || id != again || !ValidID(id) {
				t.Errorf("the id is %q, then %q: %v, %v", id, again, err, errAgain)
			}
			if other, taken := seen[id]; taken {
				t.Errorf("mount %d: %.10q and %.10q have the same id", mount, request, other)
			}
			seen[id] = request
		}
	}
	if _, err := new(TagKey).IDFor("a"); err == nil {
		t.Error("the zero tag key makes an id")
	}
}
