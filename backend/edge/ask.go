package edge

import (
	"context"
	"net/netip"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// ask asks until ctx ends.
func (m *Mirror) ask(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			m.asks.close()
			return
		case <-m.asks.woken:
		case <-again.C:
		}
		now := m.now()
		batch, next := m.asks.batch(now)
		if len(batch) == 0 {
			again.Reset(next - now)
			continue
		}
		if door := batch[0].door; m.resolve(ctx, batch) {
			m.asks.rested(door)
		} else {
			m.asks.rest(door, m.now())
		}
	}
}

// close ends what nobody asks any more.
func (a *asks) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.open {
		a.end(q, ErrClosed)
	}
	a.queue = nil
}

// wait waits until a question is answered, or until the time for it is over: then it is
// busy, or Vault is silent.
func (m *Mirror) wait(ctx context.Context, of about, text apikey.Presented, client netip.Prefix, until time.Duration) (none bool, err error) {
	now := m.now()
	left := until - now
	if left <= 0 {
		return false, m.overdue(of.door)
	}
	q, err := m.asks.put(of, text, client, now, until)
	if err != nil {
		return false, err
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.none, q.err
	case <-timer.C:
		return false, m.overdue(of.door)
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// overdue is why a question was not answered in time.
func (m *Mirror) overdue(door string) error {
	if m.calls.silent(resolvePath, door) || m.feed.silent.Load() != nil {
		return ErrStale
	}
	return ErrBusy
}
