package apikey

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"sync"
)

// TagKeyLength is the size of a tag key's secret in bytes.
const TagKeyLength = 32

// A TagKey makes and checks the tags of one mount's keys. It is safe for
// concurrent use. The zero TagKey finds no key genuine.
type TagKey struct {
	// These are closures for the reason that Key.text is one.
	sum    func(text string) mac
	derive func(purpose string, length int) ([]byte, error)
}

// mac is the HMAC of a key's text before the tag: the tag, and then its digest.
type mac = [sha256.Size]byte

// tagBytes is how many bytes of the mac are the tag.
const tagBytes = 8

// A Digest is what a key can be recognised by where its text is kept nowhere: the
// part of its mac that it does not carry. Nobody makes one without the tag key, and
// nobody gets the text, or the tag, from one.
type Digest [sha256.Size - tagBytes]byte

// A tagger is an HMAC that is set up once and used many times, and the memory
// that one use needs.
type tagger struct {
	mac  hash.Hash
	text []byte
	sum  []byte
}

// NewTagKey returns the tag key with a copy of this secret, which must have
// [TagKeyLength] bytes.
func NewTagKey(secret []byte) (*TagKey, error) {
	if len(secret) != TagKeyLength {
		return nil, errors.New("a tag key has 32 bytes")
	}
	secret = append([]byte(nil), secret...)
	// Setting up an HMAC hashes its key twice, which is half the price of a
	// tag: the pool pays it once per goroutine that tags at the same time.
	pool := &sync.Pool{New: func() any {
		return &tagger{
			mac:  hmac.New(sha256.New, secret),
			text: make([]byte, 0, MaxLength),
			sum:  make([]byte, 0, sha256.Size),
		}
	}}
	derive := func(purpose string, length int) ([]byte, error) {
		return hkdf.Key(sha256.New, secret, nil, purpose, length)
	}
	return &TagKey{derive: derive, sum: func(text string) mac {
		t := pool.Get().(*tagger)
		defer pool.Put(t)
		t.mac.Reset()
		t.text = append(t.text[:0], text...)
		t.mac.Write(t.text)
		clear(t.text) // no secret outlives its use in the pool
		t.sum = t.mac.Sum(t.sum[:0])
		return mac(t.sum)
	}}, nil
}

// Genuine reports whether the key carries the tag that this tag key gives it:
// whether the key was once made here. It does not say that the key is valid,
// nor that it ever was stored. The comparison takes the same time wherever the
// tags differ.
func (tk *TagKey) Genuine(k Key) bool {
	genuine, _ := tk.Check(k)
	return genuine
}

// Check is Genuine with the digest of the key, which costs nothing more.
func (tk *TagKey) Check(k Key) (genuine bool, digest Digest) {
	if !tk.usable() || k.text.None() {
		return false, digest
	}
	m := tk.sum(k.HashInput())
	var want [TagLength]byte
	putTag(want[:], m)
	return subtle.ConstantTimeCompare(want[:], []byte(k.tag())) == 1, Digest(m[tagBytes:])
}

// putTag writes the tag that a mac is.
func putTag(dst []byte, m mac) { putNumber(dst, binary.BigEndian.Uint64(m[:tagBytes])) }

// String hides even the addresses of a tag key's insides.
func (tk *TagKey) String() string { return "apikey.TagKey" }

// GoString is String.
func (tk *TagKey) GoString() string { return tk.String() }

func (tk *TagKey) usable() bool { return tk != nil && tk.sum != nil }
