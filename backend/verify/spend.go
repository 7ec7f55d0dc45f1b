package verify

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
)

// limit spends rate and quota of a request that is good so far, and looks at
// what is left of them for one that is not.
func (v *Verifier) limit(ctx context.Context, d *Decision, l *Lineage, cost int64, now record.Time) error {
	line := limit.Line{ID: d.Key.ID, Created: d.Key.CreatedAt, Limits: d.Limits}
	var err error
	switch {
	case d.Code == Valid:
		var verdict limit.Verdict
		if verdict, err = v.take(ctx, line, l, cost, now); err != nil {
			return err
		}
		d.Code = limitCode(verdict.Outcome)
		d.Remaining, d.RetryAfter = verdict.Remaining, verdict.RetryAfter
	case l.Key.Ended(l.Standing, now):
		d.Limits = record.Limits{}
	case line.Limited():
		d.Remaining, err = v.Limiter.Peek(ctx, line, now)
	}
	if d.Limits.Quota > 0 {
		d.QuotaResetsAt = d.Limits.WindowEnd(d.Key.CreatedAt, now)
	}
	return err
}

func (v *Verifier) take(ctx context.Context, line limit.Line, l *Lineage, cost int64, now record.Time) (limit.Verdict, error) {
	limited := line.Limited()
	if len(l.Ancestors) == 0 {
		if !limited {
			return limit.Verdict{Outcome: limit.Allowed}, nil
		}
		return v.Limiter.Take(ctx, []limit.Line{line}, cost, now)
	}
	chain := make([]limit.Line, 0, len(l.Ancestors)+1)
	for i := len(l.Ancestors) - 1; i >= 0; i-- {
		k := &l.Ancestors[i].Key
		above := limit.Line{ID: k.ID, Created: k.CreatedAt, Limits: k.Limits.Under(l.Standing.Role.Limits)}
		if above.Limited() {
			chain = append(chain, above)
		}
	}
	if !limited && len(chain) == 0 {
		return limit.Verdict{Outcome: limit.Allowed}, nil
	}
	return v.Limiter.Take(ctx, append(chain, line), cost, now)
}
