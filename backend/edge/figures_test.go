package edge

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// figures are all that a mirror tells, by name and labels.
func figures(m *Mirror) map[string]float64 {
	all := map[string]float64{}
	m.Measure(func(figure string, value float64, labels ...string) {
		all[strings.Join(append([]string{figure}, labels...), " ")] = value
	})
	return all
}

func wantFigures(t *testing.T, m *Mirror, want map[string]float64) {
	t.Helper()
	all := figures(m)
	for name, value := range want {
		if got, there := all[name]; !there || got != value {
			t.Errorf("%s is %v, %t, not %v", name, got, there, value)
		}
	}
}

func TestUnknownKeysAreCountedByWhatBecameOfThem(t *testing.T) {
	in(t, Settings{}, func(w *world) {
		_, good := w.issue()
		forged := w.text(apikeyID(), 1)
		for range 3 { // what is known by then is not unknown
			w.want(good, "valid")
			w.want(forged, "invalid")
		}
		w.want("nonsense", "invalid")
		wantFigures(t, w.Mirror, map[string]float64{"unknown_keys_total key": 1, "unknown_keys_total invalid": 1, "unknown_keys_total unanswered": 0})
		w.vault.busy = true
		w.want(w.text(apikeyID(), 1), "busy")
		time.Sleep(5 * time.Second)
		w.want(good, "valid")
		wantFigures(t, w.Mirror, map[string]float64{"unknown_keys_total key": 1, "unknown_keys_total invalid": 1, "unknown_keys_total unanswered": 1})
	})
}

// TestNoFigureNamesARole has a gate of any role be asked at many doors: what the figures tell apart must not be
// for whoever asks to say.
func TestNoFigureNamesARole(t *testing.T) {
	in(t, Settings{MaxStaleness: 5 * time.Second, StaleGrace: time.Minute}, func(w *world) {
		before := len(figures(w.Mirror))
		for _, role := range []string{"a", "b", "c", "d"} {
			w.vault.deny = role
			_, _ = w.verify(w.text(apikeyID(), 1), func(q *Question) { q.Role = role })
		}
		all := figures(w.Mirror)
		if len(all) != before {
			t.Errorf("%d figures have become %d: %v", before, len(all), all)
		}
		if denied := w.Status().Denied; len(denied) != 4 || all["upstream_denied gate/resolve"] != 4 || all["upstream_calls_total gate/resolve silent"] < 4 {
			t.Errorf("denied are %q, and it tells %v", denied, all)
		}
		wantFigures(t, w.Mirror, map[string]float64{"max_staleness_seconds": 5, "stale_grace_seconds": 60, "upstream_denied gate/changes": 0})
	})
}

func TestWhatIsLostIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := New(unlent{newVault(t)}, Settings{Gate: "edge-1"}, System())
		m.quotas.Return("web", "X7pzDtTZaKwFMUsv", 1, 7)
		_ = m.quotas.Close(t.Context())
		for i := range 2 * maxRoles {
			m.reports.Observe(&verify.Observation{Role: strings.Repeat("r", i+1)})
		}
		wantFigures(t, m, map[string]float64{"quota_units_lost_total": 7, "uses_dropped_total": 2*maxRoles - maxRoles/2, "uses_waiting": maxRoles / 2})
	})
}

// lends is a Vault that lends once, and is away from then on.
type lends struct {
	*vault
	lent bool
}

func (l *lends) Reserve(_ context.Context, _ string, r wire.Reserve) (wire.Grants, error) {
	if l.lent {
		return wire.Grants{}, errAway
	}
	l.lent = true
	return wire.Grants{Nonce: r.Nonce, Grants: []wire.Grant{{Granted: 10, Window: 1, WindowEnds: record.At(time.Now()) + 3600, Remaining: 90}}}, nil
}

func TestWhatIsBorrowedIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := New(&lends{vault: newVault(t)}, Settings{Gate: "edge-1"}, System())
		m.clock.sample(1, 0, 0, time.Now().UnixMilli())
		line := limit.Line{ID: "a", Role: "web", Created: record.At(time.Now()), Limits: record.Limits{Quota: 100, RateLimitPeriod: 1}}
		if v, err := m.quotas.Meter.Take(t.Context(), []limit.Line{line}, 3, record.At(time.Now())); err != nil {
			t.Fatal(v, err)
		}
		wantFigures(t, m, map[string]float64{"quota_blocks_held": 1, "quota_units_held": 7, "limit_counters": 1})
		_ = m.quotas.Close(t.Context())
		wantFigures(t, m, map[string]float64{"quota_blocks_held": 0, "quota_units_held": 0, "quota_units_lost_total": 7})
	})
}
