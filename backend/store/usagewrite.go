package store

import (
	"context"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// markTime is how old what storage knows of the last flush may become where nobody
// uses a key.
const markTime = record.Seconds(300)

// WriteUses writes what was added, which is all that was used until now. What
// storage may not have after an error is written again, as it was and before
// anything else, by the next call.
func (s *Store) WriteUses(ctx context.Context, now record.Time) error {
	if err := s.loadUsage(ctx); err != nil {
		return err
	}
	u := &s.usage
	u.writing.Lock()
	defer u.writing.Unlock()
	if err := s.writeSealed(ctx); err != nil {
		return err
	}
	u.seal(now)
	if err := s.writeSealed(ctx); err != nil {
		return err
	}
	if !u.begun || u.written <= now && now < u.written.Add(markTime) {
		return nil
	}
	return s.putUsageMark(ctx, u.mark, now)
}

// seal makes deltas of what was added until now.
func (u *usageLog) seal(now record.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var d *usageDelta
	for id, uses := range u.open {
		if d == nil || d.bytes+usageBytes(uses) > deltaBytes {
			u.sealed = append(u.sealed, usageDelta{number: u.next, Uses: make(map[string]record.Uses)})
			u.next++
			d = &u.sealed[len(u.sealed)-1]
		}
		d.Uses[id] = uses
		d.bytes += usageBytes(uses)
	}
	if d != nil {
		d.At = now
	}
	u.open = nil
}

func (s *Store) writeSealed(ctx context.Context) error {
	u := &s.usage
	for len(u.sealed) > 0 {
		d := u.sealed[0]
		if err := write(ctx, s.storage, deltaPath(d.number), d); err != nil {
			return err
		}
		u.mu.Lock()
		u.sealed = slices.Clone(u.sealed[1:])
		u.keep(slices.Concat(u.stored, []usageDelta{d}))
		if d.At != 0 {
			u.written = d.At
		}
		u.mu.Unlock()
	}
	return nil
}
