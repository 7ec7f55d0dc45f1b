package upkeep

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
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
		f.mount.Logger.Error("usage is still written one by one", "error", err)
		return flushRetry
	}
	f.secured.Store(false)
	f.meter.Frugal(false)
	return 0
}

// Observe counts a decision; a valid one is a use of all ancestors, too. Its answer
// waits for it.
func (f *Flusher) Observe(o *verify.Observation) {
	k := &o.Decision.Key // that of what is not proven has neither id nor owner
	f.uses.Count(k.ID, k.Owner, record.Decided{
		Code: string(o.Decision.Code), Valid: o.Decision.Valid(), At: o.At,
		Version: o.Decision.Version.Number, ClientIP: o.ClientIP, Like: o.Count() - 1, Late: o.Late(),
	})
	if o.Decision.Valid() && !o.Late() {
		for i := range o.Lineage.Ancestors {
			above := &o.Lineage.Ancestors[i].Key
			f.uses.Use(above.ID, above.Owner, o.At)
		}
	}
	if !f.secured.Load() || o.Reported != nil && o.Reported.More {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	f.report(f.uses.Flush(ctx, f.mount.Clock.Now()))
}
