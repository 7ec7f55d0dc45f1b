package edge

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
)

// limiter counts rates by the gate's share of them, and quotas as a whole.
type limiter struct {
	*limit.Meter
	m *Mirror
}

// Take spends by the share.
func (l limiter) Take(ctx context.Context, chain []limit.Line, cost int64, now record.Time) (limit.Verdict, error) {
	for i := range chain {
		l.m.share(&chain[i].Limits)
	}
	return l.Meter.Take(ctx, chain, cost, now)
}

// Peek looks by the share.
func (l limiter) Peek(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error) {
	l.m.share(&line.Limits)
	return l.Meter.Peek(ctx, line, now)
}

// share makes a rate the gate's part of it: at least one.
func (m *Mirror) share(l *record.Limits) {
	if l.RateLimit == 0 {
		return
	}
	part := m.settings.Load().RateShare
	if part == 0 {
		part = 1 / float64(max(1, m.feed.gates.Load()))
	}
	if part < 1 {
		l.RateLimit = max(1, int64(float64(l.RateLimit)*part))
	}
}
