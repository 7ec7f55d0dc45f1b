package edge

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// replays is an engine that lends once, and whoever repeats its answer.
type replays struct{ first *wire.Grants }

func (r *replays) Reserve(_ context.Context, _ string, asked wire.Reserve) (wire.Grants, error) {
	if r.first == nil {
		ends := record.At(time.Now()).Add(60)
		r.first = &wire.Grants{Nonce: asked.Nonce, Grants: []wire.Grant{{Granted: 5, Window: 1, WindowEnds: ends, Remaining: 5}}}
	}
	return *r.first, nil
}

// A grant is of units that were written down as spent: heard twice, they would be spent
// twice.
func TestAGrantThatIsRepeatedIsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQuotas(&replays{}, "edge-1", "run", func() record.Time { return record.At(time.Now()) }, func() time.Duration { return time.Second }, func(string) {})
		line := limit.Line{ID: "a", Role: "web", Created: record.At(time.Now()), Limits: record.Limits{Quota: 10, RateLimitPeriod: 1}}
		spent := 0
		for range 10 {
			v, err := q.Meter.Take(t.Context(), []limit.Line{line}, 1, record.At(time.Now()))
			if err == nil && v.Outcome == limit.Allowed {
				spent++
			}
		}
		if spent != 5 {
			t.Errorf("of 5 units that were lent %d were spent", spent)
		}
		time.Sleep(time.Minute) // what is under way ends
	})
}
