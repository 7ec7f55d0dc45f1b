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
func (v *Verifier) limit(ctx context.Context, good Code, l *lineage.Lineage, cost int64, now record.Time) (code Code, a Allowance, waited bool, err error) {
	code, a = good, Allowance{Limits: l.Limits()}
	line := limit.Line{ID: l.Key.ID, Role: l.Key.Role, Created: l.Key.CreatedAt, Limits: a.Limits}
	switch {
	case good == Valid:
		var verdict limit.Verdict
		if verdict, err = v.take(ctx, line, l, cost, now); err != nil {
			return "", a, false, err
		}
		code, waited = limitCode(verdict.Outcome), verdict.Waited
		a.Remaining, a.RetryAfter = verdict.Remaining, verdict.RetryAfter
	case l.Key.Ended(l.Standing, now):
		return code, Allowance{}, false, nil
	case line.Limited():
		a.Remaining, err = v.Limiter.Peek(ctx, line, now)
	}
	if a.Limits.Quota > 0 {
		a.QuotaResetsAt = a.Limits.WindowEnd(l.Key.CreatedAt, now)
	}
	return code, a, waited, err
}

func (v *Verifier) take(ctx context.Context, line limit.Line, l *lineage.Lineage, cost int64, now record.Time) (limit.Verdict, error) {
	var chain []limit.Line // none is made for a key without ancestors, as most are
	if len(l.Ancestors) > 0 {
		chain = make([]limit.Line, 0, len(l.Ancestors)+1)
	}
	for i := len(l.Ancestors) - 1; i >= 0; i-- {
		k := &l.Ancestors[i].Key
		above := limit.Line{ID: k.ID, Role: k.Role, Created: k.CreatedAt, Limits: k.Limits.Under(l.Standing.Role.Limits)}
		if above.Limited() {
			chain = append(chain, above)
		}
	}
	if len(chain) == 0 && !line.Limited() {
		return limit.Verdict{Outcome: limit.Allowed}, nil
	}
	return v.Limiter.Take(ctx, append(chain, line), cost, now)
}
