package edge

import (
	"log/slog"
	"maps"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// drift finds out what should have been told and was not: a confirmation that says that
// something changed, of which the feed says nothing for a while, is a fault of the
// engine's or of ours.
type drift struct {
	woken chan struct{} // everything is to be confirmed
	batch int           // how many keys are confirmed at a time; of who confirms

	mu       sync.Mutex
	told     map[string]bool          // since the confirmation under way began
	suspects map[string]time.Duration // by change: until when it should be told
	found    uint64
}

// tellWithin is how long after a confirmation a change may still be told that it saw: a
// change is told after storage has it.
const tellWithin = 10 * time.Second

// maxTold bounds what is remembered of the feed. In such a stream nothing is suspected.
const maxTold = 65536

func newDrift() *drift {
	return &drift{woken: make(chan struct{}, 1), batch: wire.MaxKnown, told: make(map[string]bool), suspects: make(map[string]time.Duration)}
}

// begin is called before it is looked what is held.
func (d *drift) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.told)
}

// suspect takes down that something changed.
func (d *drift) suspect(change string, now time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.told[change] && len(d.told) < maxTold {
		d.suspects[change] = now + tellWithin
	}
}

// heard takes down what the feed told by this moment; what came before is void after a
// reset. What should have been told by then was not.
func (d *drift) heard(a *wire.Changes, reset bool, by time.Duration, log *slog.Logger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if reset {
		clear(d.suspects)
		select {
		case d.woken <- struct{}{}:
		default:
		}
	}
	for _, change := range a.Changes {
		if len(d.told) < maxTold {
			d.told[change] = true
		}
		delete(d.suspects, change)
	}
	maps.DeleteFunc(d.suspects, func(change string, until time.Duration) bool {
		if a.More || by < until {
			return false
		}
		d.found++
		log.Error("a change was not told: this is a bug", "change", change)
		return true
	})
}

func (d *drift) count() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found
}
