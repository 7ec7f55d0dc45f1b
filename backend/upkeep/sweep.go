package upkeep

import (
	"context"
	"errors"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
)

// ErrUnsettled is returned when the clock is too uncertain to remove anything by.
var ErrUnsettled = errors.New("the clock has jumped: nothing is removed while it is in doubt, and after a jump forward until revoked_retention has passed since")

// sweep is one run of tidy: over all keys, then over what hangs on them. It
// decides nothing by what it saw from afar; each change looks again under the
// key's lock.
type sweep struct {
	mount     *Mount
	retention record.Seconds
	count     func(removed, repaired int)
	// counted is told what was found when all keys were passed.
	counted func(census)
	census  census
	// unsettled tells that keys were left as they are because of the clock.
	unsettled bool
	carriers  carriers
	pace      pace
}

func (s *sweep) run(ctx context.Context) error {
	records := s.mount.Store
	config, err := records.Config(ctx)
	if err != nil {
		return err
	}
	s.retention = config.RevokedRetention
	names, err := records.Roles(ctx)
	if err != nil {
		return err
	}
	s.census = newCensus(names)
	if s.carriers, err = s.mount.carriersNow(ctx, config, names); err != nil {
		return err
	}
	step := func() { s.pace.step(ctx) }
	err = records.EachKey(ctx, "", func(id string) (bool, error) {
		step()
		return true, s.passOver(id, s.key(ctx, id))
	})
	if err != nil {
		return err
	}
	s.census.at = s.mount.Clock.Now()
	s.counted(s.census)
	if s.unsettled || !s.settled() {
		return ErrUnsettled
	}
	if s.census.unreadable == 0 { // a key that cannot be read may carry any prefix
		if err := s.mount.dropPrefixes(ctx, s.carriers); err != nil {
			return err
		}
	}
	repaired, err := records.SweepLeftovers(ctx, step)
	s.count(0, repaired)
	if err != nil {
		return err
	}
	moved, err := records.SweepUsage(ctx, step, s.mount.Clock.Now(), s.mount.Clock.Dated)
	if moved {
		s.mount.Redated()
	}
	return err
}

// passOver keeps one entry that cannot be read from ending the run.
func (s *sweep) passOver(id string, err error) error {
	if !errors.Is(err, store.ErrUnreadable) {
		return err
	}
	s.mount.Logger.Error("tidy passed over a key", "key_id", id, "error", err)
	s.census.unreadable++
	return nil
}

// key tidies one key: removes it when it ended long ago, else forgets what its
// versions need no longer and mends its hints.
func (s *sweep) key(ctx context.Context, id string) error {
	m := s.mount
	k, found, err := m.Store.PeekKey(ctx, id)
	if err != nil || !found {
		return err
	}
	now := m.Clock.Now()
	l, err := m.Resolver.Resolve(ctx, k, now)
	if err != nil {
		return err
	}
	if err := s.date(ctx, &k); err != nil {
		return err
	}
	s.census.saw(&l, now)
	if !s.settled() {
		s.unsettled = true
		return nil
	}
	if s.over(&k, l.Standing) {
		removed, err := m.Store.RemoveKey(ctx, id, func(k *record.Key) bool { return k == nil || !s.over(k, l.Standing) })
		if removed {
			m.Gone(id)
			s.count(1, 0)
		}
		return err
	}
	if !l.Key.Ended(l.Standing, m.Clock.Now()) {
		s.carriers.saw(&k)
	}
	if err := s.writeDown(ctx, &k, l.Standing); err != nil {
		return err
	}
	endedAt := func(k record.Key) record.Time { return s.endedAt(k, l.Standing) }
	hints, err := m.Store.RepairHints(ctx, id, endedAt)
	s.count(0, hints)
	if err != nil {
		return err
	}
	names, err := m.Store.RepairName(ctx, k.StaticName, id, endedAt)
	s.count(0, names)
	return err
}

// over tells whether a key ended so long ago that its record goes.
func (s *sweep) over(k *record.Key, standing record.Standing) bool {
	ended := s.endedAt(*k, standing)
	return ended != 0 && s.mount.Clock.Now() >= ended.Add(s.retention) && s.settled()
}

// endedAt is when a key ended, as it is now; 0 while it lives.
func (s *sweep) endedAt(k record.Key, standing record.Standing) record.Time {
	now := s.mount.Clock.Now()
	s.mount.Resolver.Ends.Settle(&k, now)
	return k.EndedAt(standing, now)
}

// writeDown puts into the record what it does not say yet: that a version which waited
// has taken effect, that nobody used the key for too long, that its role is gone or an
// ancestor has ended, so that its retention begins; which graces were seen to end; and
// which hashes are forgotten. What it saw from afar only tells whether there may be
// something to write: a use or a longer timeout may have come since.
func (s *sweep) writeDown(ctx context.Context, k *record.Key, standing record.Standing) error {
	now := s.mount.Clock.Now()
	seen := k.Clone()
	if s.note(&seen, standing, now) != nil {
		return nil
	}
	_, err := s.mount.Store.SettleKey(ctx, k.ID, func(k *record.Key) error {
		l, err := s.mount.Resolver.Lineage(ctx, *k)
		if err != nil {
			return err
		}
		return s.note(k, l.Standing, now)
	})
	return record.Except(err, record.ErrKeyNotFound)
}

func (s *sweep) note(k *record.Key, standing record.Standing, now record.Time) error {
	changed := s.mount.Resolver.Ends.Settle(k, now)
	changed = k.EndGraces(standing.Seen.Superseded, now) || changed
	changed = k.Forget(s.retention, now) || changed
	if err := k.EndBy(standing, now); !changed {
		return err
	}
	return nil
}

// pace keeps a background run to half of the time, so that it never owns the
// storage.
type pace struct {
	steps int
	since time.Time
}

const stepsPerPause = 64

func (p *pace) step(ctx context.Context) {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	if p.steps++; p.steps%stepsPerPause != 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Since(p.since)):
	}
	p.since = time.Now()
}
