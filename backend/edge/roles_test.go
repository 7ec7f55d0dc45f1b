package edge

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// hears is an engine that hears reports while it is not away.
type hears struct {
	away  bool
	roles map[string]int64
}

func (h *hears) Report(_ context.Context, role string, r wire.Report) error {
	if h.away {
		return errAway
	}
	for _, use := range r.Uses {
		h.roles[role] += use.Count
	}
	return nil
}

// TestUsesOfManyRolesAreReported has keys of more roles than are gathered for at a time be
// used one after the other, as through a gate of any role: a use that is never told lets a
// key in use seem idle, and a version that waits never take effect.
func TestUsesOfManyRolesAreReported(t *testing.T) {
	t.Parallel()
	h := &hears{roles: make(map[string]int64)}
	u := NewUses(h, "edge-1", slog.New(slog.DiscardHandler))
	use := func(role string) {
		u.Observe(&verify.Observation{Decision: verify.Decision{Code: verify.Valid, Description: verify.Description{
			Key: record.Key{ID: "X7pzDtTZaKwFMUsv", Role: role}, Version: record.Version{Number: 1},
		}}})
	}
	for i := range 4 * maxRoles {
		use(fmt.Sprint("role-", i))
		if i%50 == 0 {
			if err := u.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := u.Flush(t.Context()); err != nil || u.Dropped() != 0 || len(h.roles) != 4*maxRoles || len(u.roles) > maxRoles {
		t.Errorf("%v: %d are dropped, %d roles are told, and %d are held", err, u.Dropped(), len(h.roles), len(u.roles))
	}
	h.away = true // what is not told yet makes no room
	for i := range maxRoles {
		use(fmt.Sprint("held-", i))
	}
	_ = u.Flush(t.Context())
	if use("more"); u.Dropped() != 1 {
		t.Errorf("beside %d that have something to tell, %d are dropped", maxRoles, u.Dropped())
	}
	h.away, h.roles = false, make(map[string]int64)
	if err := u.Flush(t.Context()); err != nil || len(h.roles) != maxRoles || h.roles["held-0"] != 1 {
		t.Errorf("%v: of %d roles it is told then", err, len(h.roles))
	}
}

// refusing hears of no use of one role.
type refusing struct{ asked atomic.Int64 }

func (r *refusing) Report(_ context.Context, role string, _ wire.Report) error {
	if role == "ops" {
		r.asked.Add(1)
		return ErrDenied
	}
	return nil
}

// TestAReportThatIsDeniedIsNotToldEachSecond has a version be used first, which is told at
// once, beside a role of which Vault will not hear.
func TestAReportThatIsDeniedIsNotToldEachSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := new(refusing)
		u := NewUses(r, "edge-1", slog.New(slog.DiscardHandler))
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go u.Run(ctx)
		u.Observe(&verify.Observation{Role: "ops", Decision: verify.Decision{Code: verify.Invalid}})
		u.urgent <- struct{}{}
		time.Sleep(2 * time.Minute)
		if asked := r.asked.Load(); asked < 10 || asked > 20 {
			t.Errorf("in two minutes it is told %d times", asked)
		}
	})
}
