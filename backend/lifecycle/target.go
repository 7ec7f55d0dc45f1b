package lifecycle

import (
	"context"
	"errors"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Target says which key an operation is about.
type Target struct {
	ID string
	// Owner, when set, is whose key it must be: any other is as if it were not
	// there.
	Owner string
	// Static, when set, is the static name that leads to the key, in the place of its id.
	Static string
}

// byOwner tells whether whoever asks speaks for the owner, and not for the
// operator.
func (t Target) byOwner() bool { return t.Owner != "" }

func (t Target) hides(k *record.Key) bool { return t.Owner != "" && k.Owner != t.Owner }

// prove is the key that is presented, on any of the holders' paths. A text that is
// not proven is no key there.
func (e *Engine) prove(ctx context.Context, by verify.Prover, text apikey.Presented) (verify.Proof, error) {
	p, err := by.Prove(ctx, text, "")
	if err == nil && !p.Holds() {
		e.Refused(&verify.Observation{Failure: p.Failure, Honeytoken: p.Honeytoken, Text: p.Text, At: e.Clock.Now()})
		err = record.ErrKeyNotFound
	}
	return p, err
}

// refused tells of a key that has ended and was presented on a holders' path, as verify
// does of one that it is asked about. What the path did is no such use: a request that
// runs again may present what it replaced, and whoever revokes a key that is revoked
// wants no more than what there is. That may be its holder, who did not get the answer,
// or somebody who found it and means well; an alert would call him a thief.
func (e *Engine) refused(ctx context.Context, p *verify.Proof, err error) {
	if !errors.Is(err, record.ErrNotNewest) && !errors.Is(err, record.ErrKeyNotActive) && !errors.Is(err, record.ErrVersionOver) {
		return
	}
	k, found, err := e.Store.Key(ctx, p.Key.ID)
	if err != nil || !found {
		return // the next use is told
	}
	l, err := e.Lineage(ctx, k)
	if err != nil {
		return
	}
	v := l.Key.Find(p.Version.Number)
	if v == nil {
		return
	}
	if state := l.Key.StateOf(v, l.Standing, l.At); state == record.Revoked || state == record.Superseded {
		e.Refused(&verify.Observation{
			Decision: verify.Decision{Code: verify.Code(state), Description: verify.Description{Key: l.Key, Version: *v}},
			Text:     p.Text, Lineage: l, At: l.At,
		})
	}
}

// Find is the record of the target.
func (e *Engine) Find(ctx context.Context, t Target) (record.Key, error) {
	if t.Static != "" {
		return e.findStatic(ctx, t.Static)
	}
	if !apikey.ValidID(t.ID) {
		return record.Key{}, record.ErrKeyNotFound
	}
	k, found, err := e.Store.Key(ctx, t.ID)
	if err != nil {
		return record.Key{}, err
	}
	if !found || t.hides(&k) {
		return record.Key{}, record.ErrKeyNotFound
	}
	return k, nil
}

// active refuses a key in any other state.
func active(l *lineage.Lineage, now record.Time) error {
	switch state := l.State(now); {
	case state == record.Disabled && l.Standing.Role.Disabled:
		return record.ErrRoleDisabled
	case state != record.Active:
		return record.ErrKeyNotActive
	}
	return nil
}

// stopped tells whether a key that was just written has ended meanwhile by what
// waits for nobody: a stop of its owner, its role, or of one of its ancestors.
// Where that cannot be told, what was written stands: it is seen by this answer
// only.
func (e *Engine) stopped(ctx context.Context, k record.Key) bool {
	l, err := e.Lineage(ctx, k)
	return err == nil && (l.State(e.Clock.Now()) == record.Revoked || k.Parent != "" && l.Standing.AncestorsEnded)
}

// judge tells a key's standing to the store, which counts keys.
func (e *Engine) judge(ctx context.Context) store.Judge {
	return func(k *record.Key) (record.Standing, error) {
		l, err := e.Lineage(ctx, *k)
		*k = l.Key
		return l.Standing, err
	}
}

// settled is a change of a key as it is now: that a version which waited has taken
// effect goes into its record with the change. Both go by one moment, or a version
// could end between the two unnoticed.
func (e *Engine) settled(change func(k *record.Key, now record.Time) error) func(*record.Key) error {
	return func(k *record.Key) error {
		now := e.Clock.Now()
		e.Ends.Settle(k, now)
		return change(k, now)
	}
}

// within is settled for a change that depends on more than the key's record.
func (e *Engine) within(ctx context.Context, change func(k *record.Key, l *lineage.Lineage) error) func(*record.Key) error {
	return func(k *record.Key) error {
		l, err := e.Lineage(ctx, *k)
		if err != nil {
			return err
		}
		*k = l.Key
		return change(k, &l)
	}
}

// standingOrAlone is what the state of a key depends on, as its record stands alone
// where the rest cannot be read: an end needs no more. What another node must
// answer is passed on to it.
func (e *Engine) standingOrAlone(ctx context.Context, k record.Key) (record.Standing, error) {
	l, err := e.Lineage(ctx, k)
	if err == nil || errors.Is(err, record.ErrElsewhere) {
		return l.Standing, err
	}
	e.Logger.Warn("what a key that is to be ended depends on cannot be read", "key_id", k.ID, "error", err)
	return record.Alone(&k), nil
}
