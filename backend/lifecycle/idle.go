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
	// Uses are the last uses of a key.
	Uses func(ctx context.Context, id string) (record.Uses, error)

	once   sync.Once
	queue  chan idleEnd
	worker worker
}

type idleEnd struct {
	id     string
	at     record.Time
	active record.Time // the last use that was known when it was decided
}

// Note takes an idle end, and the last use that it was counted from. It never
// blocks.
func (i *IdleEnds) Note(id string, at, active record.Time) {
	i.once.Do(func() { i.queue = make(chan idleEnd, idleQueue) })
	if !i.worker.start(i.Engine.Logger, "idle ends", i.run) {
		return
	}
	select {
	case i.queue <- idleEnd{id, at, active}:
	default:
	}
}

// Stop ends the background work and waits for it for a short while.
func (i *IdleEnds) Stop() { i.worker.stop() }

func (i *IdleEnds) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			i.drain()
			return
		case end := <-i.queue:
			// What was taken from the queue is written also when the mount goes away.
			survive(i.Engine.Logger, "idle ends", func() { i.write(context.WithoutCancel(ctx), end) })
		}
	}
}

// drain writes what waits when the mount goes away, as far as there is time.
func (i *IdleEnds) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime/2)
	defer cancel()
	for ctx.Err() == nil {
		select {
		case end := <-i.queue:
			survive(i.Engine.Logger, "idle ends", func() { i.write(ctx, end) })
		default:
			return
		}
	}
}

// write puts one end into the record, unless the key was used after all: by a
// request that was decided in time and was slower.
func (i *IdleEnds) write(ctx context.Context, end idleEnd) {
	if !i.Writable() || !i.Engine.Clock.Settled(record.InSeconds(TidyInterval)) {
		return // what a wrong clock called idle is not when it is right again
	}
	_, err := i.Engine.Store.UpdateKey(ctx, end.id, func(k *record.Key) error {
		uses, err := i.Uses(ctx, k.ID)
		if err != nil {
			return err
		}
		if uses.Latest() > end.active {
			return record.ErrUnchanged
		}
		return k.Expire(end.at)
	})
	if ignoreNotFound(err) != nil {
		i.Engine.Logger.Warn("an idle end was not written down", "key_id", end.id, "error", err)
	}
}
