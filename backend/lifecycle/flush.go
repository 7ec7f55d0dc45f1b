package lifecycle

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/usage"
)

// Flusher writes last uses down, and gives reserved quota back that nobody
// spends, every usage_flush_interval. All fields but the worker are required.
type Flusher struct {
	Engine *Engine
	Uses   *usage.Tracker
	Meter  *limit.Meter

	worker worker
}

// Start recovers from the process before and begins to flush. Only a node that
// may write calls it.
func (f *Flusher) Start(ctx context.Context) error {
	config, err := f.Engine.Store.Config(ctx)
	if err != nil {
		return err
	}
	inOrder, err := f.Engine.Store.EndedInOrder(ctx)
	slack := config.UsageFlushInterval
	if err == nil && inOrder {
		slack = 0
	}
	f.Uses.Recover(f.Engine.Clock.Now(), slack)
	f.worker.start(f.Engine.Logger, "flush", f.run)
	return err
}

func (f *Flusher) run(ctx context.Context) {
	for {
		interval := record.DefaultConfig().UsageFlushInterval
		// A configuration that was stored before there was an interval names none.
		if config, err := f.Engine.Store.Config(ctx); err == nil && config.UsageFlushInterval > 0 {
			interval = config.UsageFlushInterval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval.Std()):
		}
		if err := f.flush(ctx, interval.Std()); err != nil && ctx.Err() == nil {
			f.Engine.Logger.Error("last uses and quotas were not flushed", "error", err)
		}
	}
}

func (f *Flusher) flush(ctx context.Context, idle time.Duration) error {
	if err := f.Uses.Flush(ctx); err != nil {
		return err
	}
	return f.Meter.Settle(ctx, idle)
}

// Stop ends the flushing with a last one, which leaves the mark that nothing was
// lost. It takes a bounded time: Vault holds its state lock meanwhile.
func (f *Flusher) Stop() {
	if !f.worker.stop() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := f.Uses.Flush(ctx)
	if err == nil {
		err = f.Engine.Store.EndInOrder(ctx)
	}
	if err == nil {
		err = f.Meter.Settle(ctx, 0)
	}
	if err != nil {
		f.Engine.Logger.Warn("the last flush was not finished", "error", err)
	}
}
