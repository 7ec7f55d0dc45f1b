package lifecycle

import (
	"context"
	"errors"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/usage"
)

// Flusher writes last uses down, and gives reserved quota back that nobody
// spends, every usage_flush_interval. All exported fields are required.
type Flusher struct {
	Engine *Engine
	Uses   *usage.Tracker
	Meter  *limit.Meter

	worker worker
	mu     sync.Mutex
	begun  bool
	gap    record.UsageGap
}

// Start recovers from the process before and begins to flush, once. Only a node
// that may write calls it. After an error nothing has begun, and it is to be
// called again: no flush may come before the mark of this process stands.
func (f *Flusher) Start(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun {
		return nil
	}
	config, err := f.Engine.Store.Config(ctx)
	if err != nil {
		return err
	}
	f.gap, err = f.Engine.Store.TakeOverUsage(ctx, f.Uses.Born(), config.UsageFlushInterval)
	if err != nil {
		return err
	}
	f.Uses.Recover(f.gap)
	f.begun = f.worker.start(f.Engine.Logger, "flush", f.run)
	return nil
}

// flushTick is how often the flusher looks whether an interval is over, so that a
// shorter one takes effect at once.
const flushTick = time.Second

func (f *Flusher) run(ctx context.Context) {
	tick := time.NewTicker(flushTick)
	defer tick.Stop()
	// An interval is counted from the beginning of the last flush: what a crash
	// loses is what was touched since then.
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		config, err := f.Engine.Store.Config(ctx)
		interval := config.UsageFlushInterval.Std()
		if err != nil || time.Since(last) < interval {
			continue
		}
		last = time.Now()
		err = errors.Join(f.Uses.Flush(ctx), f.Meter.Settle(ctx, interval))
		if err != nil && ctx.Err() == nil {
			f.Engine.Logger.Error("last uses and quotas were not all written", "error", err)
		}
	}
}

// Stop ends the flushing with a last one, which leaves the mark that nothing was
// lost. It takes a bounded time: Vault holds its state lock meanwhile.
func (f *Flusher) Stop() {
	deadline := time.Now().Add(stopTime)
	if !f.worker.stop() {
		return
	}
	// Not every storage heeds a deadline, so nobody waits for it here.
	var flush, settle worker
	flush.start(f.Engine.Logger, "last flush", func(ctx context.Context) { f.report(f.flushLast(ctx, deadline)) })
	settle.start(f.Engine.Logger, "last return of quotas", func(ctx context.Context) {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		f.report(f.Meter.Settle(ctx, 0))
	})
	flush.waitUntil(deadline)
	settle.waitUntil(deadline)
}

func (f *Flusher) flushLast(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := f.Uses.Flush(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // another process may have begun
	}
	return f.Engine.Store.EndUsage(ctx, f.gap)
}

func (f *Flusher) report(err error) {
	if err != nil {
		f.Engine.Logger.Warn("the last flush was not finished", "error", err)
	}
}
