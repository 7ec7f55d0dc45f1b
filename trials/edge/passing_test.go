package edge_test

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// A network is the Upstream of its gate.

func (n *network) Changes(ctx context.Context, p wire.Poll) (wire.Changes, error) {
	sent, left := time.Now(), time.Time{}
	a, err := pass(ctx, n, "changes", func(ctx context.Context, v *vault) (wire.Changes, error) {
		a, err := v.Changes(ctx, p)
		left = time.Now()
		n.edited(&a)
		return a, err
	})
	if !errors.Is(ctx.Err(), context.Canceled) { // the gate gave up by itself
		n.heard(a, err == nil && a.Nonce == p.Nonce, sent, left)
	}
	return a, err
}

// heard takes down what the gate knows now. What is more to come it does not know.
func (n *network) heard(a wire.Changes, ok bool, sent, left time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case !ok:
		n.whole = time.Time{}
		return
	case n.weather.bad():
	case n.whole.IsZero(), a.Reset:
		n.whole = left
	}
	if a.More {
		return
	}
	if left.After(n.composed) {
		n.composed = left
	}
	if certain := sent.Add(time.Duration(a.Waited) * time.Millisecond); certain.After(n.certain) {
		n.certain = certain
	}
}

// round is the slowest round trip so far.
func (n *network) round() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.slowest
}

func (n *network) Resolve(ctx context.Context, role string, q wire.Ask) (wire.Told, error) {
	return pass(ctx, n, "resolve", func(ctx context.Context, v *vault) (wire.Told, error) { return v.Resolve(ctx, role, q) })
}

func (n *network) Confirm(ctx context.Context, q wire.Confirm) (wire.Confirmed, error) {
	return pass(ctx, n, "confirm", func(ctx context.Context, v *vault) (wire.Confirmed, error) { return v.Confirm(ctx, q) })
}

func (n *network) Reserve(ctx context.Context, role string, q wire.Reserve) (wire.Grants, error) {
	return pass(ctx, n, "reserve", func(ctx context.Context, v *vault) (wire.Grants, error) { return v.Reserve(ctx, role, q) })
}

func (n *network) Report(ctx context.Context, role string, q wire.Report) error {
	_, err := pass(ctx, n, "report", func(ctx context.Context, v *vault) (struct{}, error) { return struct{}{}, v.Report(ctx, role, q) })
	return err
}
