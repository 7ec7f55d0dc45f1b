package edge

import (
	"log/slog"
	"maps"
	"sync"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// drift finds out what should have been told and was not: a confirmation that says that
// something changed, of which the feed says nothing up to the same cursor, is a fault of
// the engine's or of ours.
type drift struct {
	woken chan struct{} // everything is to be confirmed

	mu       sync.Mutex
	told     map[string]bool        // since the confirmation under way began
	suspects map[string]wire.Cursor // by change: up to where it should be told
	found    uint64
}

// maxTold bounds what is remembered of the feed. In such a stream nothing is suspected.
const maxTold = 65536

func newDrift() *drift {
	return &drift{woken: make(chan struct{}, 1), told: make(map[string]bool), suspects: make(map[string]wire.Cursor)}
}

// begin is called before it is looked what is held.
func (d *drift) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.told)
}

// suspect takes down that something changed.
func (d *drift) suspect(change, cursor string) {
	upTo, ok := wire.ParseCursor(cursor)
	d.mu.Lock()
	defer d.mu.Unlock()
	if ok && !d.told[change] && len(d.told) < maxTold {
		d.suspects[change] = upTo
	}
}

// heard takes down what the feed told, and how far that is; all of it is void after a
// reset. What should have been told by then was not.
func (d *drift) heard(changes []string, cursor wire.Cursor, reset bool, log *slog.Logger) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if reset {
		clear(d.suspects)
		select {
		case d.woken <- struct{}{}:
		default:
		}
	}
	for _, change := range changes {
		if len(d.told) < maxTold {
			d.told[change] = true
		}
		delete(d.suspects, change)
	}
	maps.DeleteFunc(d.suspects, func(change string, upTo wire.Cursor) bool {
		if cursor.Behind(upTo) {
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
