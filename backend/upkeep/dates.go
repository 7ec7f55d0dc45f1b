package upkeep

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/clock"
	"vault-plugin-secrets-apikeys/backend/record"
)

// settled tells whether the clock is good enough to remove things by. After a
// jump forward that takes until what the jump ended has been ended for the
// retention, as the machine counts, and for an interval at least: what a wrong
// clock ended lives again when it is right.
func (s *sweep) settled() bool {
	return s.mount.Clock.Settled(max(s.retention, record.InSeconds(TidyInterval)))
}

// date mends the dates of a key that was made or changed under a clock that was
// ahead. Until then it lives, as whoever got it was told.
//
// Where the clock is known to have been wrong, they move back to what they should
// have been. Where it is not, they stay, and are ended in time: see record.Key's
// AheadSince.
func (s *sweep) date(ctx context.Context, k *record.Key) error {
	ticks := s.mount.Clock
	if !ticks.Settled(0) {
		return nil // the clock is in doubt: nothing is dated by it
	}
	change := func(k *record.Key) error {
		moved := k.Date(ticks.Dated)
		found := k.FindAhead(ticks.Now(), record.InSeconds(clock.Patience))
		if !moved && !found {
			return record.ErrUnchanged
		}
		return nil
	}
	mended := k.Clone()
	if change(&mended) != nil {
		return nil
	}
	mended, err := s.mount.Store.UpdateKey(ctx, k.ID, change)
	if err == nil {
		*k = mended
	}
	return record.Except(err, record.ErrKeyNotFound)
}
