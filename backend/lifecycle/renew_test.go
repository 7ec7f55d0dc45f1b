package lifecycle

import (
	"errors"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// granting is Vault's sum in its simplest form: what was asked for, else the
// lifetime.
func granting(asked record.Seconds) func(lifetime, max record.Seconds) (record.Seconds, error) {
	return func(lifetime, max record.Seconds) (record.Seconds, error) {
		if asked == 0 {
			asked = lifetime
		}
		return min(asked, max), nil
	}
}

func leasedWorld(t *testing.T) (*world, Minted) {
	w := newWorld(t)
	w.role("web", func(r *record.Role) { r.GenerateLease, r.MaxTTL = true, 50*hour })
	return w, w.issue()
}

func TestARenewalMovesTheEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after, increment record.Seconds
		role             func(r *record.Role)
		want             Renewal
	}{
		"to its own lifetime from now":          {hour, 0, nil, Renewal{TTL: 10 * hour, Until: start.Add(11 * hour), Renewable: true}},
		"to what was asked for from now":        {hour, 20 * hour, nil, Renewal{TTL: 20 * hour, Until: start.Add(21 * hour), Renewable: true}},
		"to an earlier time":                    {hour, 60, nil, Renewal{TTL: 60, Until: start.Add(hour + 60), Renewable: true}},
		"not beyond its making and the maximum": {9 * hour, 50 * hour, nil, Renewal{TTL: 41 * hour, Until: start.Add(50 * hour), Renewable: true}},
		"not beyond the maximum of today":       {hour, 20 * hour, func(r *record.Role) { r.MaxTTL = 5 * hour }, Renewal{TTL: 4 * hour, Until: start.Add(5 * hour), Renewable: true}},
		"further than once, under a wider role": {hour, 60 * hour, func(r *record.Role) { r.MaxTTL = 90 * hour }, Renewal{TTL: 60 * hour, Until: start.Add(61 * hour), Renewable: true}},
		"also when the key is disabled":         {hour, 0, func(r *record.Role) { r.Disabled = true }, Renewal{TTL: 10 * hour, Until: start.Add(11 * hour), Renewable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, m := leasedWorld(t)
			w.clock.Move(tc.after)
			if tc.role != nil {
				w.role("web", tc.role)
			}
			got, err := w.Renew(t.Context(), RenewRequest{ID: m.Key.ID, Version: 1, Increment: tc.increment, Grant: granting(tc.increment)})
			if err != nil || got != tc.want {
				t.Fatalf("it answered %+v, %v", got, err)
			}
			k := w.key(m.Key.ID)
			if want := w.clock.Now().Add(got.TTL); k.Current().ExpiresAt != want || k.Current().Until < want {
				t.Errorf("the record ends at %+d, until %+d", k.Current().ExpiresAt.Sub(start), k.Current().Until.Sub(start))
			}
			w.role("web", func(r *record.Role) { r.Disabled = false })
			if w.clock.Move(got.TTL - 1); w.code(m) != verify.Valid {
				t.Errorf("a second before its end it is %s", w.code(m))
			}
			if w.clock.Move(1); w.code(m) != verify.Expired {
				t.Errorf("at its end it is %s", w.code(m))
			}
		})
	}
}

func TestWhatHasEndedIsNotRenewed(t *testing.T) {
	t.Parallel()
	trouble := errors.New("no system view")
	for name, tc := range map[string]struct {
		do    func(w *world, m Minted)
		grant func(lifetime, max record.Seconds) (record.Seconds, error)
		want  error
	}{
		"revoked":                    {do: func(w *world, m Minted) { w.revokeNow(m) }, want: record.ErrKeyEnded},
		"expired":                    {do: func(w *world, _ Minted) { w.clock.Move(10 * hour) }, want: record.ErrKeyEnded},
		"deleted":                    {do: func(w *world, m Minted) { w.must(w.Delete(w.Context(), Target{ID: m.Key.ID})) }, want: record.ErrKeyNotFound},
		"of a role of the same name": {do: func(w *world, _ Minted) { w.role("web", func(r *record.Role) { r.UID = "u2" }) }, want: record.ErrKeyEnded},
		"after its grace":            {do: func(w *world, m Minted) { w.clock.Move(hour); w.rotateNow(m); w.clock.Move(9 * hour) }, want: record.ErrKeyEnded},
		"forgotten": {do: func(w *world, m Minted) {
			for range record.MaxVersions {
				w.rotateNow(m)
			}
		}, want: record.ErrKeyEnded},
		"beyond a lowered maximum": {do: func(w *world, _ Minted) {
			w.clock.Move(5 * hour)
			w.role("web", func(r *record.Role) { r.MaxTTL = 5 * hour })
		}, want: record.ErrNoMoreRenewals},
		"without a grant": {do: func(*world, Minted) {}, grant: func(record.Seconds, record.Seconds) (record.Seconds, error) { return 0, trouble }, want: trouble},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, m := leasedWorld(t)
			tc.do(w, m)
			if tc.grant == nil {
				tc.grant = granting(hour)
			}
			w.quiet(func() {
				if got, err := w.Renew(t.Context(), RenewRequest{ID: m.Key.ID, Version: 1, Increment: hour, Grant: tc.grant}); !errors.Is(err, tc.want) || got.Renewable {
					t.Errorf("it answered %+v, %v", got, err)
				}
			})
		})
	}
}

func TestASupersededVersionsLeaseGoesOnToItsGracesEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ increment, want record.Seconds }{
		"without an increment":     {0, 3 * hour},
		"with a longer one":        {50 * hour, 3 * hour},
		"with one that is shorter": {hour, hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, m := leasedWorld(t)
			_, err := w.Rotate(t.Context(), Target{ID: m.Key.ID}, RotateRequest{Grace: new(4 * hour)})
			w.must(err)
			w.clock.Move(hour)
			got, err := w.Renew(t.Context(), RenewRequest{ID: m.Key.ID, Version: 1, Increment: tc.increment, Grant: granting(tc.increment)})
			if want := (Renewal{TTL: tc.want, Until: start.Add(hour + tc.want)}); err != nil || got != want {
				t.Errorf("it answered %+v, %v", got, err)
			}
			k := w.key(m.Key.ID)
			if k.Find(1).ValidUntil != start.Add(hour+tc.want) || k.Current().ExpiresAt != start.Add(10*hour) {
				t.Errorf("the versions are %+v", k.Versions)
			}
		})
	}
}
