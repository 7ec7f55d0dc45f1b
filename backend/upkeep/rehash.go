package upkeep

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

const (
	// rehashQueue bounds how many keys wait for a re-hash, and with them how
	// many texts are held in memory. What does not fit is offered again by the
	// key's next verify.
	rehashQueue = 64
	// rehashPause paces the writes: a new cost must not become a storm of them.
	rehashPause = 250 * time.Millisecond
)

// Rehasher renews hashes of another cost than is configured, in the background,
// one at a time.
type Rehasher struct {
	mount  *Mount
	hasher *keyhash.Hasher
	random io.Reader
	// proofs get one of the new hash, so that a re-hash makes no key cold.
	proofs *proof.Cache

	cost    atomic.Pointer[keyhash.Params] // nil until it is known
	mu      sync.Mutex
	pending map[offer]bool
	queue   chan rehash
	worker  worker
}

type rehash struct {
	text apikey.Key
	phc  keyhash.PHC
}

// offer is a version whose hash waits to be renewed.
type offer struct {
	id      string
	version int
}

func offerOf(text apikey.Key) offer { return offer{text.ID, text.Version} }

// NewRehasher makes the rehasher of a mount.
func NewRehasher(m *Mount, hasher *keyhash.Hasher, random io.Reader, proofs *proof.Cache) *Rehasher {
	return &Rehasher{
		mount: m, hasher: hasher, random: random, proofs: proofs,
		pending: make(map[offer]bool), queue: make(chan rehash, rehashQueue),
	}
}

// Configure takes the cost that hashes shall have.
func (r *Rehasher) Configure(c record.Config) {
	cost := c.Argon2()
	r.cost.Store(&cost)
}

// Observe offers a key that verified and whose hash has another cost.
func (r *Rehasher) Observe(o *verify.Observation) {
	cost, phc := r.cost.Load(), o.Decision.Version.Hash
	if o.Decision.Valid() && o.Reported == nil && cost != nil && keyhash.NeedsRehash(phc, *cost) {
		r.Offer(o.Text, phc)
	}
}

// Offer queues a key that verified, or drops the offer. It never blocks.
func (r *Rehasher) Offer(text apikey.Key, phc keyhash.PHC) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending[offerOf(text)] {
		return
	}
	if !r.worker.start(r.mount.Logger, "re-hash", r.run) {
		return
	}
	select {
	case r.queue <- rehash{text, phc}:
		r.pending[offerOf(text)] = true
	default:
	}
}

// Stop ends the background work and waits for it for a short while.
func (r *Rehasher) Stop() { r.worker.stop() }

func (r *Rehasher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-r.queue:
			recovering(r.mount.Logger, "re-hash", func() { r.work(ctx, job) })
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rehashPause):
		}
	}
}

// work does one job. Whatever becomes of it, a panic included, the key's next
// verify may offer it again.
func (r *Rehasher) work(ctx context.Context, job rehash) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pending, offerOf(job.text))
	}()
	if err := r.rehash(ctx, job); err != nil && ctx.Err() == nil {
		r.mount.Logger.Warn("a key was not re-hashed", "key_id", job.text.ID, "error", err)
	}
}

// rehash replaces one hash, if it still is the one that was seen and its key
// still lives.
func (r *Rehasher) rehash(ctx context.Context, job rehash) error {
	config, err := r.mount.Store.Config(ctx)
	if err != nil {
		return err
	}
	if !keyhash.NeedsRehash(job.phc, config.Argon2()) || !r.mount.Writable() {
		return nil
	}
	phc, err := r.hasher.Rehash(ctx, r.random, config.Argon2(), job.text.HashInput())
	if err != nil {
		return err
	}
	// Before the record shows it: no verify shall find the new hash unproven.
	r.proofs.Add(job.text.Presented(), phc)
	_, err = r.mount.Store.RehashKey(ctx, job.text.ID, func(k *record.Key) error {
		v := k.Find(job.text.Version)
		if v == nil || !v.Hash.Equal(job.phc) || k.RevokedAt != 0 || r.mount.Clock.Now() >= k.Current().ExpiresAt {
			return record.ErrUnchanged
		}
		v.Hash = phc
		return nil
	})
	return err
}
