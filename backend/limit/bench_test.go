package limit

import (
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

func BenchmarkTake(b *testing.B) {
	const much = record.MaxRateLimit
	child := lineOf("child", both(much, 1, record.MaxQuota, 0))
	for name, chain := range map[string][]Line{
		"rate":      {lineOf("a", rated(much, 1))},
		"quota":     {lineOf("a", quotaOf(record.MaxQuota, 0))},
		"both":      {child},
		"delegated": {lineOf("root", both(much, 1, record.MaxQuota, 0)), child},
	} {
		b.Run(name, func(b *testing.B) {
			m := NewMeter(newDisk())
			b.ReportAllocs()
			for b.Loop() {
				take(b, m, 1, created, chain...)
			}
		})
	}
}

func TestATakeFromMemoryAllocatesOnce(t *testing.T) {
	m := NewMeter(newDisk())
	chain := []Line{lineOf("root", rated(record.MaxRateLimit, 1)), lineOf("child", both(record.MaxRateLimit, 1, record.MaxQuota, 0))}
	take(t, m, 1, created, chain...)
	if allocs := testing.AllocsPerRun(1000, func() { take(t, m, 1, created, chain...) }); allocs > 1 {
		t.Errorf("it allocates %.1f times", allocs)
	}
}
