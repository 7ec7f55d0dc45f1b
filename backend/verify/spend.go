package verify

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// limit spends rate and quota of a request that is good so far, and looks at
// what is left of them for one that is not. waited tells that it may have taken
// its time.
func (v *Verifier) limit(ctx context.Context, d *Decision, l *lineage.Lineage, cost int64, now record.Time) (waited bool, err error) {
	line := limit.Line{ID: d.Key.ID, Created: d.Key.CreatedAt, Limits: d.Limits}
	switch {
	case d.Code == Valid:
		var verdict limit.Verdict
		if verdict, waited, err = v.take(ctx, line, l, cost, now); err != nil {
			return waited, err
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
	return waited, err
}

func (v *Verifier) take(ctx context.Context, line limit.Line, l *lineage.Lineage, cost int64, now record.Time) (verdict limit.Verdict, waited bool, err error) {
	allowed := limit.Verdict{Outcome: limit.Allowed}
	limited := line.Limited()
	if len(l.Ancestors) == 0 {
		if !limited {
			return allowed, false, nil
		}
		verdict, err = v.Limiter.Take(ctx, []limit.Line{line}, cost, now)
		return verdict, true, err
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
		return allowed, false, nil
	}
	verdict, err = v.Limiter.Take(ctx, append(chain, line), cost, now)
	return verdict, true, err
}
