package backend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/lifecycle"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
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
	config, err := m.store.Config(ctx)
	if err != nil {
		// Requests meet the same trouble and say so.
		m.Logger().Error("the configuration cannot be read", "error", err)
		return
	}
	m.configured(config)
	if !m.writable() {
		return
	}
	m.ensureTagKey(ctx)
	if err := m.flusher.Start(ctx); err != nil {
		m.Logger().Error("last uses are not written down yet", "error", err)
		return
	}
	m.siblings.join(m.flusher)
}

// ensureTagKey makes the tag key of an empty mount. Until that worked the paths
// that need it fail.
func (m *mount) ensureTagKey(ctx context.Context) {
	if err := m.store.EnsureTagKey(ctx, m.GetRandomReader()); err != nil {
		m.Logger().Error("the mount has no usable tag key: keys can be neither minted nor verified", "error", err)
	}
}

// periodic runs every minute under Vault's state lock, so it starts work and
// does none.
func (m *mount) periodic(ctx context.Context, _ *logical.Request) error {
	m.clock.Now() // a jump of the wall clock is seen also where nobody asks
	if !m.writable() {
		return nil
	}
	m.start(ctx)
	m.tidier.StartWhenDue()
	return nil
}

// invalidate is called where another node changed an entry.
func (m *mount) invalidate(ctx context.Context, path string) {
	m.store.Invalidate(path)
	if path != "config" {
		return
	}
	if config, err := m.store.Config(ctx); err == nil {
		m.configured(config)
	}
}

// changed is told by the store of each change: see store.OnChange.
func (m *mount) changed(kind store.Kind, name string) {
	switch kind {
	case store.QuotaChanged:
		m.meter.Forget(name)
	case store.UsageChanged:
		m.uses.Refresh()
	}
}

// clean runs at unmount, seal and step-down, under Vault's state lock: all that
// has to end does so at the same time.
func (m *mount) clean(context.Context) {
	others := m.siblings.leave(m.flusher)
	var stops sync.WaitGroup
	for _, stop := range []func(){m.tidier.Stop, m.rehasher.Stop, m.idleEnds.Stop, m.flusher.Stop} {
		stops.Go(stop)
	}
	for _, other := range others {
		stops.Go(other.Secure) // the process may end now
	}
	stops.Wait()
}

// gone drops what is counted of a key whose record was removed.
func (m *mount) gone(id string) {
	m.uses.Forget(id)
	m.ends.Forget(id)
	m.meter.Forget(id)
}

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

// configured applies what a new configuration changes in memory.
func (m *mount) configured(c record.Config) {
	m.store.ResizeCache(c.VerifyCacheSize)
	m.proofs.Resize(c.VerifyCacheSize)
	m.uses.Resize(c.VerifyCacheSize)
	m.rehasher.Configure(c)
	m.flusher.Wake()
}

// writable tells whether this node may write to the mount's storage.
func (m *mount) writable() bool { return m.System() != nil && m.WriteSafeReplicationState() }

// caps are the mount's lease settings now.
func (m *mount) caps() record.Caps {
	return record.Caps{
		Default: record.InSeconds(m.System().DefaultLeaseTTL()),
		Max:     record.InSeconds(m.System().MaxLeaseTTL()),
	}
}

// notify sends an event with a key id and nothing else. Servers without an event
// system answer with an error, which is none of ours.
func (m *mount) notify(ctx context.Context, what lifecycle.Event, keyID string) {
	var metadata []string
	if keyID != "" {
		metadata = []string{"key_id", keyID}
	}
	err := logical.SendEvent(ctx, m.Backend, fmt.Sprintf("apikeys/%s", what), metadata...)
	if err != nil && m.Logger().IsTrace() {
		m.Logger().Trace("no event was sent", "event", string(what))
	}
}
