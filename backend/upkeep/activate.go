package upkeep

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

const (
	// activations bounds how many wait to be written down. What does not fit is
	// offered again by the next verification of that version.
	activations = 65536
	// activateAgain is after how long what could not be written is tried again.
	activateAgain = time.Second
)

// Activator writes down that versions took effect at their first use. Verify tells it
// before it answers, and writes nothing itself: from then on this process knows, and
// soon storage does. If the process dies in between, the next use counts.
type Activator struct {
	mount  *Mount
	worker worker
	wake   chan struct{}

	mu      sync.Mutex
	waiting map[string]int // the version that took effect, by the key's id
}

// NewActivator makes what writes down the first uses of a mount.
func NewActivator(m *Mount) *Activator {
	return &Activator{mount: m, wake: make(chan struct{}, 1), waiting: make(map[string]int)}
}

// Observe notes the first use of a version that waited for it. What took effect by
// time is not written: a wrong clock may say so.
func (a *Activator) Observe(o *verify.Observation) {
	v := &o.Decision.Version
	if v.PendingUntil == 0 || !o.Decision.Valid() || o.Cost == 0 || !a.mount.Writable() {
		return // as most are
	}
	if a.mount.Resolver.Ends.Use(o.Text.ID, v, o.At) {
		a.offer(o.Text.ID, v.Number)
	}
}

func (a *Activator) offer(id string, version int) {
	if !a.worker.start(a.mount.Logger, "activations", a.run) {
		return
	}
	a.wait(id, version)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// wait has a first use written, and tells of it. Of two at once the second is answered
// no earlier than the first has told.
func (a *Activator) wait(id string, version int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting[id] == version {
		return
	}
	if len(a.waiting) < activations {
		a.waiting[id] = version
	}
	a.mount.Noted(id)
}

// Stop ends the background work, and waits for a short while for what is to be
// written.
func (a *Activator) Stop() { a.worker.stop() }

func (a *Activator) run(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-again.C:
		}
		// What was noted is written also when the mount goes away, as far as there is
		// time.
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime/2)
		done := false
		recovering(a.mount.Logger, "activations", func() { done = a.writeAll(writing) })
		if !done {
			again.Reset(activateAgain)
		}
		cancel()
	}
}

// writeAll writes what waits, and tells whether nothing is left. What was written
// waits for one more pass, which finds the record to say so.
func (a *Activator) writeAll(ctx context.Context) bool {
	a.mu.Lock()
	batch := maps.Clone(a.waiting)
	a.mu.Unlock()
	left, failed := false, error(nil)
	for _, id := range slices.Sorted(maps.Keys(batch)) {
		version := batch[id]
		said, err := a.write(ctx, id)
		if err != nil || !said {
			left, failed = true, cmp.Or(failed, err)
			continue
		}
		a.mount.Resolver.Ends.Written(id, version)
		a.mu.Lock()
		if a.waiting[id] == version {
			delete(a.waiting, id)
		}
		a.mu.Unlock()
	}
	if failed != nil { // once a pass: storage that fails does so for all of them
		a.mount.Logger.Warn("first uses are not all written down yet", "error", failed)
	}
	return !left
}

// write puts what was noted into the record, and tells whether that said so before.
func (a *Activator) write(ctx context.Context, id string) (said bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, err = a.mount.Store.UpdateKey(ctx, id, func(k *record.Key) error {
		if said = !a.mount.Resolver.Ends.Settle(k, a.mount.Clock.Now()); said {
			return record.ErrUnchanged
		}
		return nil
	})
	if errors.Is(err, record.ErrKeyNotFound) {
		return true, nil
	}
	return said, err
}
