// Package proof remembers that exactly this text matched exactly that hash, so
// that Argon2 runs once per key and process.
//
// It holds proofs, never verdicts: nothing here says whether a key is good. A
// proof is a MAC, under a random key of this Cache, of the text and the hash
// together, so a record whose hash changed has no proof, a heap dump shows no
// key, and nobody outside can aim at a collision.
package proof

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"sync"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

type mac [sha256.Size]byte

// Cache is a bounded set of proofs, safe for concurrent use.
type Cache struct {
	proofs *cache.Cache[mac, struct{}]
	macs   sync.Pool
}

// New makes a cache of about size proofs.
func New(size int) *Cache {
	key := make([]byte, sha256.BlockSize)
	rand.Read(key) // never fails: crypto/rand aborts the process instead
	c := &Cache{proofs: cache.New[mac, struct{}](size)}
	c.macs.New = func() any { return &maker{hash: hmac.New(sha256.New, key)} }
	return c
}

// Has tells whether text was seen to match phc.
func (c *Cache) Has(text apikey.Presented, phc keyhash.PHC) bool {
	_, ok, _ := c.proofs.Get(c.mac(text, phc))
	return ok
}

// Add remembers that text matches phc. Only what a hash run has shown may be
// added.
func (c *Cache) Add(text apikey.Presented, phc keyhash.PHC) {
	c.proofs.Put(c.mac(text, phc), struct{}{})
}

// Configure changes the bound.
func (c *Cache) Configure(to record.Config) { c.proofs.Resize(to.VerifyCacheSize) }

// Measure tells of the proofs that are remembered.
func (c *Cache) Measure(tell func(figure string, value float64, labels ...string)) {
	c.proofs.Measure("proofs", tell)
}

// Len is the number of proofs.
func (c *Cache) Len() int { return c.proofs.Len() }

// maker is one reusable MAC computation with its scratch space.
type maker struct {
	hash   hash.Hash
	buffer []byte
	sum    mac
}

func (c *Cache) mac(text apikey.Presented, phc keyhash.PHC) (sum mac) {
	m := c.macs.Get().(*maker)
	m.hash.Reset()
	// Neither part has a NUL, so the join has one reading only.
	m.buffer = append(append(append(m.buffer[:0], text.Reveal()...), 0), phc.Reveal()...)
	m.hash.Write(m.buffer)
	m.hash.Sum(m.sum[:0])
	sum = m.sum
	clear(m.buffer)
	c.macs.Put(m)
	return sum
}
