// Package proof remembers that exactly this text matched exactly that hash, so
// that Argon2 runs once per key and process.
//
// It holds proofs, never verdicts: nothing here says whether a key is good. A
// proof is a MAC, under a random key of this Cache, of the text and the hash
// together, so a record whose hash changed has no proof, a heap dump shows no
// key, and nobody outside can aim at a collision.
package proof

import (
	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/cache"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Cache is a bounded set of proofs, safe for concurrent use.
type Cache struct {
	proofs *cache.Cache[MAC, struct{}]
	macs   *MACs
}

// New makes a cache of about size proofs.
func New(size int) *Cache {
	return &Cache{proofs: cache.New[MAC, struct{}](size), macs: NewMACs()}
}

// Has tells whether text was seen to match phc.
func (c *Cache) Has(text apikey.Presented, phc keyhash.PHC) bool {
	_, ok, _ := c.proofs.Get(c.macs.Of(text, phc.Reveal()))
	return ok
}

// Add remembers that text matches phc. Only what a hash run has shown may be
// added.
func (c *Cache) Add(text apikey.Presented, phc keyhash.PHC) {
	c.proofs.Put(c.macs.Of(text, phc.Reveal()), struct{}{})
}

// Configure changes the bound.
func (c *Cache) Configure(to record.Config) { c.proofs.Resize(to.VerifyCacheSize) }

// Measure tells of the proofs that are remembered.
func (c *Cache) Measure(tell func(figure string, value float64, labels ...string)) {
	c.proofs.Measure("proofs", tell)
}

// Len is the number of proofs.
func (c *Cache) Len() int { return c.proofs.Len() }
