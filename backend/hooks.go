package backend

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// initialize runs once after a mount, an unseal or a reload.
func (m *mount) initialize(ctx context.Context, _ *logical.InitializationRequest) error {
	m.start(ctx)
	return nil
}

// start does what a mount needs once. A failure is logged and tried again by the
// periodic hook: Vault initialises a mount once, and may do so with the context
// of a request whose client hangs up.
func (m *mount) start(ctx context.Context) {
	if !m.configure(ctx) || !m.node.writable() {
		return
	}
	// Until that worked the paths that need the tag key fail.
	if err := m.store.EnsureTagKey(ctx, m.GetRandomReader()); err != nil {
		m.Logger().Error("the mount has no usable tag key: keys can be neither minted nor verified", "error", err)
	}
	if err := m.parts.start(ctx); err != nil {
		m.Logger().Error("not all that the mount does by itself has begun; it is tried again", "error", err)
	}
}

// configure has the parts take the configuration, and tells whether it is known.
func (m *mount) configure(ctx context.Context) bool {
	config, err := m.store.Config(ctx)
	if err != nil {
		// Requests meet the same trouble and say so.
		m.Logger().Error("the configuration cannot be read", "error", err)
		return false
	}
	m.parts.configure(config)
	return true
}

// periodic runs every minute under Vault's state lock, so it starts work and
// does none.
func (m *mount) periodic(ctx context.Context, _ *logical.Request) error {
	m.clock.Now() // a jump of the wall clock is seen also where nobody asks
	if !m.node.writable() {
		return nil
	}
	m.start(ctx)
	m.tidier.StartWhenDue()
	return nil
}

// invalidate is called where another node changed an entry.
func (m *mount) invalidate(_ context.Context, path string) { m.store.Invalidate(path) }

// changed is told by the store of each change: see store.OnChange. Gates are told of
// what decisions are made by; the configuration is no such thing.
func (m *mount) changed(kind store.Kind, name string) {
	switch kind {
	case store.KeyChanged:
		m.feed.Tell(wire.KeyKind, name)
	case store.KeyRevised:
		m.feed.Mention(wire.KeyKind, name)
	case store.RoleChanged:
		m.feed.Tell(wire.RoleKind, name)
		m.metrics.RoleChanged(name)
	case store.OwnerChanged:
		m.feed.Tell(wire.OwnerKind, name)
	case store.QuotaChanged:
		m.meter.Forget(name)
	case store.UsageChanged:
		m.uses.Refresh()
	case store.WatchChanged:
		m.watch.Refresh()
	case store.ConfigChanged:
		m.configure(context.Background())
	case store.AllChanged:
		m.feed.Reset()
		m.configure(context.Background())
	}
}

// clean runs at unmount, seal and step-down, under Vault's state lock.
func (m *mount) clean(context.Context) { m.parts.stop() }

// tell logs what becomes of a jump of the wall clock. Whoever asks for the time
// waits for it.
func tell(logger hclog.Logger, change clock.Change) {
	by := change.By.Round(time.Second).String()
	switch change.Kind {
	case clock.Doubted:
		logger.Warn("the wall clock jumped: the mount goes on by the machine's own, and removes nothing, until the wall clock is back or has stayed", "by", by, "patience", clock.Patience.String())
	case clock.Resolved:
		logger.Info("the wall clock is back", "by", by)
	case clock.Believed:
		logger.Warn("the wall clock stayed where it jumped to: the mount goes by it now", "by", by)
	}
}
