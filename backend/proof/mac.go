package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"sync"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// MAC stands for a presented text where the text itself must not stay. It is worth
// nothing outside of what made it.
type MAC [sha256.Size]byte

// MACs makes MACs under a random key of its own, which nobody else has. It is safe for
// concurrent use.
type MACs struct{ makers sync.Pool }

// NewMACs makes a key.
func NewMACs() *MACs {
	key := make([]byte, sha256.BlockSize)
	rand.Read(key) // never fails: crypto/rand aborts the process instead
	return &MACs{sync.Pool{New: func() any { return &maker{hash: hmac.New(sha256.New, key)} }}}
}

// Of is the MAC of a text together with another. What is a key by its form has no NUL, so
// the join has one reading only.
func (m *MACs) Of(text apikey.Presented, with string) (sum MAC) {
	k := m.makers.Get().(*maker)
	k.hash.Reset()
	k.buffer = append(append(append(k.buffer[:0], text.Reveal()...), 0), with...)
	// The hash keeps what has not filled a block yet: let that be nothing of the text.
	if len(with) < sha256.BlockSize {
		k.buffer = append(k.buffer, filling[:]...)
	}
	k.hash.Write(k.buffer)
	k.hash.Sum(k.sum[:0])
	sum = k.sum
	clear(k.buffer)
	m.makers.Put(k)
	return sum
}

// filling has no text in it. What it follows has none of its zeros at the end, so no two
// joins become one by it.
var filling [sha256.BlockSize]byte

// maker is one reusable computation with its scratch space.
type maker struct {
	hash   hash.Hash
	buffer []byte
	sum    MAC
}
