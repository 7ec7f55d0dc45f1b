package lifecycle

import (
	"context"
	"sync"

	"vault-plugin-secrets-apikeys/backend/record"
)

// idleQueue bounds how many idle ends wait to be written down. What does not fit
// is noted in memory all the same, and written by tidy.
const idleQueue = 1024

// IdleEnds writes down that keys ended because nobody used them. Verify refuses
// such a key for good, so a later change of the role's idle_timeout must not
// revive it; but verify itself writes nothing.
type IdleEnds struct {
	Engine *Engine
	// Writable tells whether this node may write.
	Writable func() bool

	once   sync.Once
	queue  chan idleEnd
	worker worker
}

type idleEnd struct {
	id string
	at record.Time
}

// Note takes an idle end. It never blocks.
func (i *IdleEnds) Note(id string, at record.Time) {
	i.once.Do(func() { i.queue = make(chan idleEnd, idleQueue) })
	if !i.worker.start(i.Engine.Logger, "idle ends", i.run) {
		return
	}
	select {
	case i.queue <- idleEnd{id, at}:
	default:
	}
}

// Stop ends the background work and waits for it for a short while.
func (i *IdleEnds) Stop() { i.worker.stop() }

func (i *IdleEnds) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case end := <-i.queue:
			if !i.Writable() {
				continue
			}
			_, err := i.Engine.Store.UpdateKey(ctx, end.id, func(k *record.Key) error { return k.Expire(end.at) })
			if ignoreNotFound(err) != nil && ctx.Err() == nil {
				i.Engine.Logger.Warn("an idle end was not written down", "key_id", end.id, "error", err)
			}
		}
	}
}
