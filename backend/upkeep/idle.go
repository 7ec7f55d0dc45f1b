package upkeep

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// IdleEnds writes down that keys ended because nobody used them, as somebody was
// told, until their records say so.
type IdleEnds struct {
	mount  *Mount
	worker worker
}

// NewIdleEnds makes what writes down the idle ends of a mount. It begins with Start.
func NewIdleEnds(m *Mount) *IdleEnds { return &IdleEnds{mount: m} }

// Start begins to write; should a fault have ended that, it begins again.
func (i *IdleEnds) Start(context.Context) error {
	i.worker.start(i.mount.Logger, "idle ends", i.run)
	return nil
}

// Stop ends the background work and waits for it for a short while.
func (i *IdleEnds) Stop() { i.worker.stop() }

func (i *IdleEnds) run(ctx context.Context) {
	for {
		var again <-chan time.Time // never, where nothing waits
		if len(i.mount.Resolver.Idle.Waiting()) > 0 {
			again = time.After(flushRetry)
		}
		select {
		case <-ctx.Done():
			// What waits when the mount goes away is written as far as there is time.
			last, cancel := context.WithTimeout(context.Background(), stopTime/2)
			defer cancel()
			i.pass(last)
			return
		case <-i.mount.Resolver.Idle.Marked():
		case <-again:
		}
		i.pass(ctx)
	}
}

// pass writes what waits. What could not be written, because storage was in trouble
// or the clock in doubt, waits for the next: what a wrong clock called idle is not
// when it is right again.
func (i *IdleEnds) pass(ctx context.Context) {
	for _, end := range i.mount.Resolver.Idle.Waiting() {
		if ctx.Err() != nil || !i.mount.Writable() || !i.mount.Clock.Settled(record.InSeconds(TidyInterval)) {
			return
		}
		recovering(i.mount.Logger, "idle ends", func() { i.write(ctx, end) })
	}
}

// write puts one end into the record. A mark goes when the record is found to say so,
// at the earliest in the pass after it was written: until then a request may go by
// the record as it was before.
func (i *IdleEnds) write(ctx context.Context, end idle.End) {
	over := false
	_, err := i.mount.Store.UpdateKey(ctx, end.ID, func(k *record.Key) error {
		stands, err := i.mount.Resolver.Idle.Stands(ctx, end)
		if err != nil {
			return err
		}
		err = record.ErrUnchanged
		if stands {
			i.mount.Resolver.Ends.Settle(k, end.At)
			err = k.Expire(end.At)
			i.mount.Resolver.Ends.Note(k, end.At) // no clock takes it back either
		}
		over = err != nil
		return err
	})
	switch {
	case over, errors.Is(err, record.ErrKeyNotFound):
		i.mount.Resolver.Idle.Done(end)
	case err != nil && ctx.Err() == nil:
		i.mount.Logger.Warn("an idle end was not written down", "key_id", end.ID, "error", err)
	}
}
