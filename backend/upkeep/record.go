package upkeep

import (
	"context"
	"sync/atomic"
	"time"
)

// Watched is what is written behind the answers.
type Watched interface {
	// Woken tells that there is something to write.
	Woken() <-chan struct{}
	// Write writes it, all of it where the process ends, and tells whether anything is
	// left.
	Write(ctx context.Context, all bool) (left bool, err error)
}

// recordPause is between two writes of what is watched, and before what could not be
// written is tried again.
const recordPause = time.Second

// Recorder writes down what is watched, behind the answers: the first use of a honeytoken
// at once, and what comes then once a second.
type Recorder struct {
	mount   *Mount
	watched Watched
	worker  worker
	hurry   chan struct{}
	secured atomic.Int64 // until when it writes without pause, as time.Time.UnixNano
}

// NewRecorder makes the recorder of a mount. It begins with Start.
func NewRecorder(m *Mount, w Watched) *Recorder {
	return &Recorder{mount: m, watched: w, hurry: make(chan struct{}, 1)}
}

// Start begins to write, first what the process before left to be done; should a fault
// have ended that, it begins again.
func (r *Recorder) Start(context.Context) error {
	r.worker.start(r.mount.Logger, "watch", r.run)
	return nil
}

// Stop writes what is left, as far as there is time.
func (r *Recorder) Stop() { r.worker.stop() }

// Secure prepares for the end of the process, as that of Flusher does: it writes what
// there is, and for a while what comes at once.
func (r *Recorder) Secure() {
	r.secured.Store(time.Now().Add(secureTime).UnixNano())
	select {
	case r.hurry <- struct{}{}:
	default:
	}
	deadline := time.Now().Add(stopTime)
	var last worker
	last.start(r.mount.Logger, "watch before another mount ends", func(ctx context.Context) { r.write(ctx, true) })
	last.waitUntil(deadline)
}

func (r *Recorder) run(ctx context.Context) {
	again := time.NewTimer(recordPause)
	defer again.Stop()
	if !r.write(ctx, false) {
		again.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), stopTime/2)
			defer cancel()
			r.write(last, true)
			return
		case <-r.watched.Woken():
		case <-again.C:
		}
		if r.write(ctx, false) {
			again.Reset(recordPause)
		}
		if time.Now().UnixNano() < r.secured.Load() {
			continue
		}
		select {
		case <-ctx.Done():
		case <-r.hurry:
		case <-time.After(recordPause):
		}
	}
}

// write tells whether anything is left. It is while a fault keeps it from telling.
func (r *Recorder) write(ctx context.Context, all bool) (left bool) {
	left = true
	recovering(r.mount.Logger, "watch", func() {
		var err error
		if left, err = r.watched.Write(ctx, all); err != nil && ctx.Err() == nil {
			r.mount.Logger.Warn("honeytokens and alerts are not all written yet", "error", err)
		}
	})
	return left
}
