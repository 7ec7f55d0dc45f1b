package upkeep

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/verify"
)

// secureTime is for how long a mount stays secured. When Vault reloads a plugin
// it ends the process some milliseconds after it has cleaned up one of its
// mounts, at most two seconds.
const secureTime = 5 * time.Second

// Secure prepares for the end of the process, which may come without a word to
// this mount: Vault ends the one process of all mounts when it reloads one of
// them. Vault does not say what it cleans a mount up for, so the process may as
// well live on. All that is in memory is written down, and for a while what comes
// is written before it is answered. It takes a bounded time.
func (f *Flusher) Secure() {
	deadline := time.Now().Add(stopTime)
	var all worker
	all.start(f.mount.Logger, "flush before another mount ends", func(context.Context) {
		if f.secure() {
			f.writeAll(deadline)
		}
	})
	all.waitUntil(deadline)
}

// secure tells whether anything may be in memory.
func (f *Flusher) secure() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun {
		return false
	}
	f.until = time.Now().Add(secureTime)
	f.meter.Frugal(true)
	f.lookAgain()
	return !f.secured.Swap(true)
}

// resume ends what Secure began when its time is over, and answers how long to
// wait for that. Before the mark stands that a crash loses something again,
// nothing is left in memory.
func (f *Flusher) resume(ctx context.Context) (wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.secured.Load() {
		return 0
	}
	if wait := time.Until(f.until); wait > 0 {
		return wait
	}
	if err := f.mount.Store.ResumeUsage(ctx); err != nil {
		f.mount.Logger.Error("last uses are still written one by one", "error", err)
		return flushRetry
	}
	f.secured.Store(false)
	f.meter.Frugal(false)
	return 0
}

// Observe notes a use of a version, which is one of all ancestors, too. Its answer
// waits for it.
func (f *Flusher) Observe(o verify.Observation) {
	if !o.Decision.Valid() {
		return
	}
	f.uses.Touch(o.Lineage.Key.ID, o.Decision.Version.Number, o.At)
	for i := range o.Lineage.Ancestors {
		f.uses.Touch(o.Lineage.Ancestors[i].Key.ID, 0, o.At) // version 0: through a child, and by no version of its own
	}
	if !f.secured.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	f.report(f.uses.Flush(ctx, f.mount.Clock.Now()))
}
