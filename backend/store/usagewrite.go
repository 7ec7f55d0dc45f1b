package store

import (
	"context"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// markTime is how old what storage knows of the last flush may become where nobody
// uses a key.
const markTime = record.Seconds(300)

// WriteUsage writes what was added, which is all that was used until now. What
// storage may not have after an error is written again, as it was and before
// anything else, by the next call.
func (s *Store) WriteUsage(ctx context.Context, now record.Time) error {
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

// seal makes deltas of what was added until now: of the mount before its owners, and
// of these before their keys. So what a crash leaves of them never has a key with
// more decisions than its owner, nor an owner with more than the mount.
func (u *usageLog) seal(now record.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for kind := range 3 {
		for of, usage := range u.open {
			_, isOwner := of.Owner()
			_, isKey := of.Key()
			if isOwner && kind == 1 || isKey && kind == 2 || of == record.Mount && kind == 0 {
				u.put(of, usage)
			}
		}
	}
	if n := len(u.sealed); n > 0 {
		u.sealed[n-1].At = now
	}
	u.open = nil
}

// put takes the usage of a subject into the last delta, or begins another.
func (u *usageLog) put(of record.Subject, usage *record.Usage) {
	long := usageBytes(of, usage)
	if n := len(u.sealed); n == 0 || u.sealed[n-1].bytes+long > deltaBytes {
		u.sealed = append(u.sealed, usageDelta{number: u.next, Usage: make(map[record.Subject]*record.Usage)})
		u.next++
	}
	d := &u.sealed[len(u.sealed)-1]
	d.Usage[of] = usage
	d.bytes += long
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
