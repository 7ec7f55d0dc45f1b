package lifecycle

import (
	"context"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// RoleGone is the reason that tidy writes into a key whose role was deleted.
const RoleGone = "its role was deleted"

// sweep is one run of tidy: over all keys, then over all hints. It decides
// nothing by what it saw from afar; each change looks again under the key's
// lock.
type sweep struct {
	engine *Engine
	count  func(removed, repaired int)
	pace   pace
}

func (s *sweep) run(ctx context.Context) error {
	config, err := s.engine.Store.Config(ctx)
	if err != nil {
		return err
	}
	err = s.engine.Store.EachKey(ctx, "", func(id string) (bool, error) {
		s.pace.step(ctx)
		return true, s.key(ctx, id, config.RevokedRetention)
	})
	if err != nil {
		return err
	}
	repaired, err := s.engine.Store.SweepHints(ctx, func() { s.pace.step(ctx) })
	s.count(0, repaired)
	return err
}

// key tidies one key: removes it when it ended long ago, else forgets what its
// versions need no longer and mends its hints.
func (s *sweep) key(ctx context.Context, id string, retention record.Seconds) error {
	e := s.engine
	k, found, err := e.Store.PeekKey(ctx, id)
	if err != nil || !found {
		return err
	}
	role, err := e.Store.Role(ctx, k.Role)
	if err != nil {
		return err
	}
	over := func(k record.Key) bool {
		now := e.Clock.Now()
		ended := k.EndedAt(now)
		return ended != 0 && now >= ended.Add(retention)
	}
	if over(k) {
		_, removed, err := e.Store.DeleteKey(ctx, id, func(k record.Key) bool { return !over(k) })
		if removed {
			s.count(1, 0)
		}
		return err
	}
	k, err = s.update(ctx, k, role, retention)
	if err != nil {
		return err
	}
	repaired, err := e.Store.RepairHints(ctx, id, e.Clock.Now())
	s.count(0, repaired)
	return err
}

// update writes down what a key's record does not say yet: that its role is
// gone, so that its retention begins, and which hashes are forgotten.
func (s *sweep) update(ctx context.Context, k record.Key, role *record.Role, retention record.Seconds) (record.Key, error) {
	now := s.engine.Clock.Now()
	change := func(k *record.Key) error {
		changed := k.Forget(retention, now)
		orphaned := role == nil || role.UID != k.RoleUID
		if orphaned && k.EndedAt(now) == 0 {
			return k.Revoke(RoleGone, now)
		}
		if !changed {
			return record.ErrUnchanged
		}
		return nil
	}
	seen := k.Clone()
	if change(&seen) != nil {
		return k, nil
	}
	k, err := s.engine.Store.UpdateKey(ctx, k.ID, change)
	return k, ignoreNotFound(err)
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
