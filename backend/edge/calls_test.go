package edge

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// unlent is a Vault that lets nobody borrow or report.
type unlent struct{ *vault }

func (unlent) Reserve(context.Context, string, wire.Reserve) (wire.Grants, error) {
	return wire.Grants{}, ErrDenied
}

func (unlent) Report(context.Context, string, wire.Report) error { return ErrDenied }

func TestWhereQuotasAndUsesAreDeniedIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := New(unlent{newVault(t)}, Settings{Gate: "edge-1"}, System())
		m.quotas.Ask("web", "X7pzDtTZaKwFMUsv", 1, 1)
		m.reports.Observe(&verify.Observation{Role: "ops"})
		if err := m.reports.Flush(t.Context()); err == nil {
			t.Error("a report that was denied is none")
		}
		_ = m.quotas.Close(t.Context()) // once it was asked
		if denied := m.Status().Denied; !slices.Equal(denied, []string{"gate/report/ops", "gate/reserve/web"}) {
			t.Errorf("denied are %v", denied)
		}
	})
}
