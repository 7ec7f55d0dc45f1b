package upkeep

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/usage"
)

// Flusher counts decisions, writes their counts down, and gives reserved quota back that nobody
// spends, every usage_flush_interval.
type Flusher struct {
	mount *Mount
	uses  *usage.Tracker
	meter *limit.Meter

	worker worker
	merger worker // of what was flushed
	wake   chan struct{}
	mu     sync.Mutex
	begun  bool

	flushed, failed atomic.Uint64
	lastFlush       atomic.Int64 // when the last one ended that was written, as a record.Time

	secured atomic.Bool
	until   time.Time // how long to stay secured
}

// NewFlusher makes the flusher of a mount. It begins with Start.
func NewFlusher(m *Mount, uses *usage.Tracker, meter *limit.Meter) *Flusher {
	return &Flusher{mount: m, uses: uses, meter: meter, wake: make(chan struct{}, 1)}
}

// Start recovers from the process before and begins to flush, once; should a
// fault have ended that, it begins again. Only a node that may write calls it.
// After an error nothing has begun, and it is to be called again: no flush may
// come before the mark of this process stands.
func (f *Flusher) Start(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun {
		f.worker.start(f.mount.Logger, "flush", f.run)
		return nil
	}
	if err := f.mount.Store.TakeOverUsage(ctx, f.mount.Resolver.Idle.Born()); err != nil {
		return err
	}
	f.begun = f.worker.start(f.mount.Logger, "flush", f.run)
	return nil
}

// Configure makes the flusher look at its interval again.
func (f *Flusher) Configure(record.Config) { f.lookAgain() }

func (f *Flusher) lookAgain() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// flushRetry is when to try again when the interval is not known.
const flushRetry = 10 * time.Second

func (f *Flusher) run(ctx context.Context) {
	// An interval is counted from the beginning of the last flush: what a crash
	// loses is what was touched since then.
	for last, wait := time.Now(), time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-time.After(wait):
		}
		wait = flushRetry // where it is not found out
		recovering(f.mount.Logger, "flush", func() { wait = f.flushWhenDue(ctx, &last) })
	}
}

// flushWhenDue flushes when the last flush began an interval ago, and answers
// how long to wait.
func (f *Flusher) flushWhenDue(ctx context.Context, last *time.Time) (wait time.Duration) {
	if wait := f.resume(ctx); wait > 0 {
		return wait
	}
	config, err := f.mount.Store.Config(ctx)
	if err != nil {
		return flushRetry
	}
	// A configuration that was stored before there was an interval names none.
	interval := max(config.UsageFlushInterval.Std(), time.Second)
	if wait := interval - time.Since(*last); wait > 0 {
		return wait
	}
	*last = time.Now()
	err = errors.Join(f.uses.Flush(ctx, f.mount.Clock.Now()), f.meter.Settle(ctx, interval))
	switch {
	case err == nil:
		f.flushed.Add(1)
		f.lastFlush.Store(int64(f.mount.Clock.Now()))
	case ctx.Err() == nil:
		f.failed.Add(1)
		f.mount.Logger.Error("usage and quotas were not all written", "error", err)
	}
	if f.mount.Store.UsagePilesUp() {
		f.merger.start(f.mount.Logger, "merging of usage", f.merge)
	}
	return interval
}

// Measure tells what became of the flushes.
func (f *Flusher) Measure(tell func(figure string, value float64, labels ...string)) {
	tell("flushes_total", float64(f.flushed.Load()), "done")
	tell("flushes_total", float64(f.failed.Load()), "failed")
	if last := f.lastFlush.Load(); last != 0 {
		tell("flush_last_success_timestamp_seconds", float64(last))
	}
}

// merge does what tidy does, where it has not come to it.
func (f *Flusher) merge(ctx context.Context) {
	pace := &pace{}
	if err := f.mount.Store.CompactUsage(ctx, func() { pace.step(ctx) }); err != nil && ctx.Err() == nil {
		f.mount.Logger.Error("usage was not all merged", "error", err)
	}
}

// Stop ends the flushing with a last one, which leaves the mark that nothing was
// lost. It takes a bounded time: Vault holds its state lock meanwhile.
func (f *Flusher) Stop() {
	deadline := time.Now().Add(stopTime)
	go f.merger.stop() // what it does not finish, the next merge does
	if !f.worker.stop() {
		return
	}
	f.writeAll(deadline)
}

// writeAll writes down all that is in memory, and the mark that nothing is lost.
func (f *Flusher) writeAll(deadline time.Time) {
	// Not every storage heeds a deadline, so nobody waits for it here.
	var flush, settle worker
	flush.start(f.mount.Logger, "last flush", func(ctx context.Context) { f.report(f.flushLast(ctx, deadline)) })
	settle.start(f.mount.Logger, "last return of quotas", func(ctx context.Context) {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		f.report(f.meter.Settle(ctx, 0))
	})
	flush.waitUntil(deadline)
	settle.waitUntil(deadline)
}

func (f *Flusher) flushLast(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := f.uses.Flush(ctx, f.mount.Clock.Now()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // another process may have begun
	}
	return f.mount.Store.EndUsage(ctx)
}

func (f *Flusher) report(err error) {
	if err != nil {
		f.mount.Logger.Warn("the last flush was not finished", "error", err)
	}
}
