// Package lineage finds a key's role, owner and ancestors, as they are now, and
// says what they leave the key. It reads and decides no request.
package lineage

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/ends"
	"vault-plugin-secrets-apikeys/backend/idle"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Reader is where keys, roles and owners are found.
type Reader interface {
	Key(ctx context.Context, id string) (record.Key, bool, error)
	Role(ctx context.Context, name string) (record.Role, bool, error)
	Owner(ctx context.Context, name string) (record.Owner, bool, error)
}

// Clock tells the time by which states are told.
type Clock interface{ Now() record.Time }

// Lineage is a key with everything that its state depends on.
type Lineage struct {
	Key      record.Key
	Standing record.Standing
	// Ancestors of a delegated key, its parent first, as far as they exist.
	Ancestors []Lineage
	// At is when it was witnessed. What is shown is what was so then: an end that came
	// since is noted by nobody yet.
	At record.Time
}

// State is that of the key now.
func (l *Lineage) State(now record.Time) record.State { return l.Key.State(l.Standing, now) }

// Parent is the lineage of a delegated key's parent.
func (l *Lineage) Parent() Lineage {
	parent := l.Ancestors[0]
	parent.Ancestors = l.Ancestors[1:]
	return parent
}

// Resolver looks up what the state of a key depends on. All fields are required.
type Resolver struct {
	Reader Reader
	Idle   *idle.Ends
	Ends   *ends.Seen
	Clock  Clock
}

// Resolve finds a key, settled, with its role, owner and ancestors, as they are now:
// at a moment that was before they are looked up.
func (r *Resolver) Resolve(ctx context.Context, k record.Key, now record.Time) (l Lineage, err error) {
	l.Key = k
	r.Ends.Settle(&l.Key, now)
	if err = r.standing(ctx, &l.Key, &l.Standing); err != nil || l.Key.Parent == "" {
		return l, err
	}
	for parent := l.Key.Parent; parent != ""; {
		p, found, err := r.Reader.Key(ctx, parent)
		if err != nil {
			return l, err
		}
		// Depth is bounded where keys are delegated; a damaged record must not
		// lead round in circles all the same.
		if !found || len(l.Ancestors) > record.MaxDelegationDepth {
			l.Standing.AncestorsEnded = true
			return l, nil
		}
		r.Ends.Settle(&p, now)
		above := Lineage{Key: p}
		if err := r.standing(ctx, &p, &above.Standing); err != nil {
			return l, err
		}
		l.Ancestors = append(l.Ancestors, above)
		parent = p.Parent
	}
	r.judge(&l, now)
	return l, nil
}

// Lineage is Resolve for those who act on a key or show it: what has ended of it is
// noted.
func (r *Resolver) Lineage(ctx context.Context, k record.Key) (Lineage, error) {
	l, err := r.Resolve(ctx, k, r.Clock.Now())
	if err == nil {
		r.Witness(&l)
	}
	return l, err
}

// Witness notes what has ended of a key and its ancestors: whoever shows a state
// to somebody calls it first, so that no clock and no longer idle_timeout takes that
// back.
func (r *Resolver) Witness(l *Lineage) {
	now := r.Clock.Now()
	l.At = now
	note := func(l *Lineage) {
		r.Ends.Settle(&l.Key, now)
		r.Ends.Note(&l.Key, now)
		r.Idle.Note(&l.Key, l.Standing, now)
	}
	note(l)
	for i := range l.Ancestors {
		note(&l.Ancestors[i])
	}
}

// judge tells each generation whether those above it are active, at the moment that
// they were settled for. The root has nobody above; whoever's chain is broken is never
// asked.
func (r *Resolver) judge(l *Lineage, now record.Time) {
	active, ended := true, false
	for i := len(l.Ancestors) - 1; i >= 0; i-- {
		a := &l.Ancestors[i]
		a.Standing.AncestorsActive, a.Standing.AncestorsEnded = active, ended
		active = a.State(now) == record.Active
		ended = a.Key.Ended(a.Standing, now)
	}
	l.Standing.AncestorsActive, l.Standing.AncestorsEnded = active, ended
}

func (r *Resolver) standing(ctx context.Context, k *record.Key, s *record.Standing) error {
	named, found, err := r.Reader.Role(ctx, k.Role)
	if err != nil {
		return err
	}
	if found {
		s.Role = k.IssuedUnder(&named)
	}
	if k.Owner != "" {
		if s.Owner, _, err = r.Reader.Owner(ctx, k.Owner); err != nil {
			return err
		}
	}
	s.Seen = r.Ends.Of(k)
	s.IdleEnd, s.Seen.Idle, err = r.Idle.Of(ctx, k, s.Role)
	return err
}
