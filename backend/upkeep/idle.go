package upkeep

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/usage"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// idleQueue bounds how many idle ends wait to be written down. What does not fit
// is noted in memory all the same, and written by the next request or by tidy.
const idleQueue = 1024

// IdleEnds writes down that keys ended because nobody used them. Verify refuses
// such a key for good, so a later change of the role's idle_timeout must not
// revive it; but verify itself writes nothing.
type IdleEnds struct {
	mount  *Mount
	uses   *usage.Tracker
	queue  chan idleEnd
	worker worker
}

// NewIdleEnds makes what writes down the idle ends of a mount.
func NewIdleEnds(m *Mount, uses *usage.Tracker) *IdleEnds {
	return &IdleEnds{mount: m, uses: uses, queue: make(chan idleEnd, idleQueue)}
}

type idleEnd struct {
	id     string
	at     record.Time
	active record.Time // the last use that was known when it was decided
}

// Observe remembers which keys were refused because nobody used them, and forgets
// it of one that was used: its request came in time, and was decided later than one
// that found it idle.
func (i *IdleEnds) Observe(o verify.Observation) {
	i.look(&o.Lineage, o.At, o.Decision.Code)
	for n := range o.Lineage.Ancestors {
		i.look(&o.Lineage.Ancestors[n], o.At, o.Decision.Code)
	}
}

// look takes what ended because nobody used it: in memory before the answer leaves,
// and into its record soon. It is offered with each request until its record says
// so: the queue may have been full, or storage in trouble.
func (i *IdleEnds) look(l *lineage.Lineage, now record.Time, code verify.Code) {
	k, s := &l.Key, l.Standing
	switch {
	case code == verify.Valid:
		i.mount.Resolver.Ends.Used(k.ID)
	case k.Idle(s, now) && k.RevokedAt == 0 && now < k.Newest().ExpiresAt:
		active := max(k.CreatedAt, s.LastUsed)
		i.mount.Resolver.Ends.NoteIdle(k.ID, active)
		i.Note(k.ID, k.IdleEnd(s), active)
	}
}

// Note takes an idle end, and the last use that it was counted from. It never
// blocks.
func (i *IdleEnds) Note(id string, at, active record.Time) {
	if !i.worker.start(i.mount.Logger, "idle ends", i.run) {
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
			recovering(i.mount.Logger, "idle ends", func() { i.write(context.WithoutCancel(ctx), end) })
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
			recovering(i.mount.Logger, "idle ends", func() { i.write(ctx, end) })
		default:
			return
		}
	}
}

// write puts one end into the record, unless the key was used after all: by a
// request that was decided in time and was slower.
func (i *IdleEnds) write(ctx context.Context, end idleEnd) {
	if !i.mount.Writable() || !i.mount.Clock.Settled(record.InSeconds(TidyInterval)) {
		return // what a wrong clock called idle is not when it is right again
	}
	_, err := i.mount.Store.UpdateKey(ctx, end.id, func(k *record.Key) error {
		uses, err := i.uses.Uses(ctx, k.ID)
		if err != nil {
			return err
		}
		if uses.Latest() > end.active {
			return record.ErrUnchanged
		}
		return k.Expire(end.at)
	})
	if record.Except(err, record.ErrKeyNotFound) != nil {
		i.mount.Logger.Warn("an idle end was not written down", "key_id", end.id, "error", err)
	}
}
