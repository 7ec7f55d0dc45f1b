package upkeep

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// stopTime bounds how long an unmount or a step-down waits for background work:
// Vault holds its state lock meanwhile.
const stopTime = 2 * time.Second

// worker is one background goroutine that can be stopped for good.
type worker struct {
	mu      sync.Mutex
	cancel  context.CancelFunc
	done    chan struct{}
	stopped bool
}

// start runs work unless it is running, and tells whether it runs now. After
// stop it never runs again. A panic ends the work, not the process: the process
// serves every mount.
func (w *worker) start(logger hclog.Logger, name string, work func(context.Context)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	if w.done != nil {
		select {
		case <-w.done:
		default:
			return true
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.cancel, w.done = cancel, done
	go func() {
		defer close(done)
		defer cancel()
		recovering(logger, name, func() { work(ctx) })
	}()
	return true
}

// recovering ends what panics, and nothing else with it. Work that goes on for as
// long as the mount does calls it for each of its pieces.
func recovering(logger hclog.Logger, name string, work func()) {
	defer func() {
		if recover() != nil {
			// What was panicked with may hold a secret.
			logger.Error("background work ended by a fault in the plugin", "work", name)
		}
	}()
	work()
}

// wait returns when the work has ended.
func (w *worker) wait() {
	w.mu.Lock()
	done := w.done
	w.mu.Unlock()
	if done != nil {
		<-done
	}
}

// waitUntil returns when the work has ended, or at the deadline.
func (w *worker) waitUntil(deadline time.Time) {
	w.mu.Lock()
	done := w.done
	w.mu.Unlock()
	select {
	case <-done:
	case <-time.After(time.Until(deadline)):
	}
}

// stop ends the work and waits for it for a short while. It tells whether there
// was any, the first time it is called.
func (w *worker) stop() (worked bool) {
	w.mu.Lock()
	again := w.stopped
	w.stopped = true
	cancel := w.cancel
	w.mu.Unlock()
	if cancel == nil || again {
		return false
	}
	cancel()
	w.waitUntil(time.Now().Add(stopTime))
	return true
}
