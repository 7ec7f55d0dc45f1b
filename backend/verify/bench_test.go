package verify_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"sync/atomic"
	"testing"

	"vault-plugin-secrets-apikeys/backend"
	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/proof"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/upkeep"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/watch"
	"vault-plugin-secrets-apikeys/trials/memory"
)

// counting is storage that notes what is asked of it, and Argon2 that counts.
type counting struct {
	*memory.Storage
	hasher *keyhash.Hasher
	hashes atomic.Int64
}

func (c *counting) Match(ctx context.Context, phc keyhash.PHC, text string) (bool, error) {
	c.hashes.Add(1)
	return c.hasher.Match(ctx, phc, text)
}

// warm is a verifier over a real store, with the observers of a mount. It has seen
// its one key once, of the default cost, bound to scopes and networks.
func warm(t testing.TB) (*verify.Verifier, verify.Request, *counting) {
	t.Helper()
	ctx := context.Background()
	c := &counting{Storage: memory.New(), hasher: keyhash.NewHasher(2)}
	s := store.New(c)
	ticks := clock.New(func(clock.Change) {})
	uses := usage.New(s, 1000, func() bool { return true })
	proofs, meter := proof.New(1000), limit.NewMeter(s)
	resolver := lineage.Resolver{Reader: s, Idle: idle.New(uses, s, func() bool { return true }, ticks), Ends: ends.New(ticks), Clock: ticks}
	kept := &upkeep.Mount{Store: s, Resolver: resolver, Clock: ticks, Writable: func() bool { return true }, Noted: func(string) {}}
	rehasher := upkeep.NewRehasher(kept, c.hasher, rand.Reader, proofs)
	rehasher.Configure(record.DefaultConfig())
	figures := watch.NewMetrics(s, func(watch.Tell) {})
	figures.RoleChanged("web")
	watched := watch.New(watch.Mount{Store: s, Uses: uses, Ends: resolver.Ends, Clock: ticks, Writable: func() bool { return true }})
	v := &verify.Verifier{
		Prover:   &verify.ByHash{Reader: s, Matcher: c, Proofs: proofs, Traps: watched, Writable: watched.Writable},
		Resolver: resolver,
		Limiter:  meter,
		Observer: &backend.Observer{
			Flusher: upkeep.NewFlusher(kept, uses, meter), Activator: upkeep.NewActivator(kept), Rehasher: rehasher,
			Metrics: figures, Watch: watched,
		},
		Undecided: figures.Undecided,
	}
	_, err := s.UpdateRole(ctx, "web", func(record.Role, bool) (record.Role, error) {
		return record.Role{UID: "u1", AllowedScopes: []string{"read:*", "write"}}, nil
	})
	must(t, err)
	must(t, s.EnsureTagKey(ctx, rand.Reader))
	tagKey, err := s.TagKey(ctx)
	must(t, err)
	key, err := apikey.Generate(rand.Reader, tagKey, "acme_live", keyID, 1)
	must(t, err)
	phc, err := c.hasher.Sum(ctx, rand.Reader, keyhash.DefaultParams(), key.HashInput())
	must(t, err)
	now := ticks.Now()
	must(t, s.CreateKey(ctx, record.Key{
		ID: keyID, Prefix: "acme_live", Role: "web", RoleUID: "u1", Owner: "acme", CreatedAt: now,
		Scopes: []string{"read:*", "write"}, BoundCIDRs: networks("10.0.0.0/8"), Metadata: map[string]string{"team": "a"},
		Versions: []record.Version{{Number: 1, Hash: phc, CreatedAt: now, ExpiresAt: now + 86400, Until: now + 86400}},
	}))
	r := verify.Request{Key: key.Presented(), Role: "web", Scopes: []string{"read:users"}, ClientIP: netip.MustParseAddr("10.1.2.3")}
	decide(t, v, r)
	return v, r, c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func decide(t testing.TB, v *verify.Verifier, r verify.Request) {
	d, err := v.Verify(context.Background(), r)
	if err != nil || !d.Valid() {
		t.Fatal(d.Code, err)
	}
}

func TestAWarmVerifyAsksNeitherStorageNorArgon2(t *testing.T) {
	t.Parallel()
	v, r, c := warm(t)
	if c.hashes.Load() != 1 {
		t.Errorf("the first verify hashed %d times", c.hashes.Load())
	}
	c.Noted()
	for range 100 {
		decide(t, v, r)
	}
	if storage, hashes := len(c.Noted()), c.hashes.Load()-1; storage != 0 || hashes != 0 {
		t.Errorf("a hundred warm verifies asked storage %d times and hashed %d times", storage, hashes)
	}
}

func BenchmarkWarmVerify(b *testing.B) {
	v, r, _ := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		decide(b, v, r)
	}
}

func BenchmarkWarmVerifyInParallel(b *testing.B) {
	v, r, _ := warm(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			decide(b, v, r)
		}
	})
}

func BenchmarkForgedKey(b *testing.B) {
	v, r, _ := warm(b)
	other, err := apikey.NewTagKey(make([]byte, apikey.TagKeyLength))
	must(b, err)
	forged, err := apikey.Generate(rand.Reader, other, "acme_live", keyID, 1)
	must(b, err)
	r.Key = forged.Presented()
	b.ReportAllocs()
	for b.Loop() {
		if d, err := v.Verify(b.Context(), r); err != nil || d.Code != verify.Invalid {
			b.Fatal(d.Code, err)
		}
	}
}
