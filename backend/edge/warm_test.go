package edge

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// warm is a mirror that runs and has seen its one key, bound to scopes and networks.
func warm(t testing.TB) (*Mirror, Question) {
	v := newVault(t)
	within, err := network.Parse([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	_, text := v.issue(func(k *record.Key) {
		k.Scopes, k.BoundCIDRs, k.Metadata = []string{"read:*", "write"}, within, map[string]string{"team": "a"}
	})
	m := New(v, Settings{Gate: "edge-1", Roles: []string{"web"}}, System())
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = m.Run(ctx) }()
	t.Cleanup(func() { end(); <-ended })
	for !m.Status().Ready {
		time.Sleep(time.Millisecond)
	}
	q := Question{Request: verify.Request{
		Key: apikey.Present(text), Role: "web", Scopes: []string{"read:users"}, ClientIP: netip.MustParseAddr("10.1.2.3"), Cost: 1,
	}}
	decide(t, m, q)
	return m, q
}

func decide(t testing.TB, m *Mirror, q Question) {
	if a, err := m.Verify(context.Background(), q); err != nil || !a.Valid() {
		t.Fatal(a.Code, err)
	}
}

func BenchmarkMirrorWarm(b *testing.B) {
	m, q := warm(b)
	b.ReportAllocs()
	for b.Loop() {
		decide(b, m, q)
	}
}

func BenchmarkMirrorWarmInParallel(b *testing.B) {
	m, q := warm(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			decide(b, m, q)
		}
	})
}
