package edge

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// apart is a Vault that lends units of the keys of one role, and denies those of others.
type apart struct{ *vault }

func (apart) Reserve(_ context.Context, role string, r wire.Reserve) (wire.Grants, error) {
	if role != "web" {
		return wire.Grants{}, ErrDenied
	}
	a := wire.Grants{Nonce: r.Nonce}
	for _, want := range r.Want {
		g := wire.Grant{Window: 1, WindowEnds: record.At(time.Now()) + 3600, Remaining: 90}
		if want.GiveBack == 0 && want.Need > 0 {
			g.Granted = 10
		}
		a.Grants = append(a.Grants, g)
	}
	return a, nil
}

// TestARoleThatIsDeniedHoldsUpNoOther has the policy forget a role's quotas: what nobody
// uses of others goes back all the same, and what limits have counted is forgotten.
func TestARoleThatIsDeniedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := New(apart{newVault(t)}, Settings{Gate: "edge-1"}, System())
		m.clock.sample(1, 0, 0, time.Now().UnixMilli())
		ctx, end := context.WithCancel(t.Context())
		go m.quotas.Run(ctx)
		take := func(id, role string, limits record.Limits) error {
			line := limit.Line{ID: id, Role: role, Created: record.At(time.Now()), Limits: limits}
			_, err := m.quotas.Meter.Take(t.Context(), []limit.Line{line}, 1, record.At(time.Now()))
			return err
		}
		if err := take("denied", "ops", record.Limits{Quota: 100, RateLimitPeriod: 1}); !errors.Is(err, limit.ErrSilent) {
			t.Fatal(err)
		}
		if err := take("lent", "web", record.Limits{Quota: 100, RateLimitPeriod: 1}); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if err := take(fmt.Sprint("rated ", i), "web", record.Limits{RateLimit: 5, RateLimitPeriod: 1}); err != nil {
				t.Fatal(err)
			}
		}
		wantFigures(t, m, map[string]float64{"quota_units_held": 9, "limit_counters": 102})
		time.Sleep(5 * time.Second)
		if all := figures(m); all["quota_units_held"] != 0 || all["quota_units_lost_total"] != 0 || all["limit_counters"] > 2 {
			t.Errorf("held are %v units, and %v lost; counted is of %v keys", all["quota_units_held"], all["quota_units_lost_total"], all["limit_counters"])
		}
		end()
		_ = m.quotas.Close(t.Context())
	})
}
