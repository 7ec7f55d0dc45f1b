package verify_test

import (
	"context"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// much is a limit that no test reaches.
const much = 1_000_000_000

// grown turns the key of a warm verifier into a delegated one, three deep, with a
// rate, a quota and an idle timeout on every generation.
func grown(t testing.TB) (*verify.Verifier, verify.Request, *counting) {
	t.Helper()
	v, r, c := warm(t)
	s, ctx := v.Resolver.Reader.(*store.Store), context.Background()
	_, err := s.UpdateRole(ctx, "web", func(role record.Role, _ bool) (record.Role, error) {
		role.Limits = record.Limits{RateLimit: much, RateLimitPeriod: 1, Quota: much, QuotaPeriod: 86400}
		role.IdleTimeout = 3600
		return role, nil
	})
	must(t, err)
	for id, parent := range map[string]string{"parent0000000000": "root000000000000", "root000000000000": ""} {
		k, _, err := s.Key(ctx, keyID)
		must(t, err)
		k = k.Clone()
		k.ID, k.Parent = id, parent
		must(t, s.CreateKey(ctx, k))
	}
	_, err = s.UpdateKey(ctx, keyID, func(k *record.Key) error { k.Parent, k.Depth = "parent0000000000", 2; return nil })
	must(t, err)
	decide(t, v, r)
	return v, r, c
}

func TestAWarmVerifyOfADelegatedKeyAsksStorageForBlocksOnly(t *testing.T) {
	t.Parallel()
	v, r, c := grown(t)
	r.Cost = 1
	decide(t, v, r) // reserves the blocks
	c.Noted()
	hashes := c.hashes.Load()
	for range 1000 {
		decide(t, v, r)
	}
	if got := len(c.Noted()); got != 0 || c.hashes.Load() != hashes {
		t.Errorf("a thousand warm verifies asked storage %d times and hashed %d times", got, c.hashes.Load()-hashes)
	}
	for range 4000 { // over the end of a block of 4,096
		decide(t, v, r)
	}
	if got := len(c.Noted()); got != 6 {
		t.Errorf("three more blocks asked storage %d times", got)
	}
}

func BenchmarkWarmVerifyOfADelegatedKey(b *testing.B) {
	v, r, _ := grown(b)
	r.Cost = 1
	b.ReportAllocs()
	for b.Loop() {
		decide(b, v, r)
	}
}
