// Package verify decides whether one presented key is good for one request.
//
// It walks forward only: the text is parsed, its tag checked, its record found,
// its secret proven; from there on the key is proven and the text is not looked
// at again; then state, networks and scopes are decided by the record and the
// role as they are now. Until the secret is proven every refusal is the same.
//
// A refusal is a Decision, an error is a fault. The package sees nothing that
// writes a record, and so cannot.
package verify

import (
	"context"
	"net/netip"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
)

// Reader is what a decision reads. It answers from memory when warm.
type Reader interface {
	lineage.Reader
	TagKey(ctx context.Context) (*apikey.TagKey, error)
	Config(ctx context.Context) (record.Config, error)
}

// Matcher runs Argon2 in one of the process's slots.
type Matcher interface {
	Match(ctx context.Context, id string, phc keyhash.PHC, text string) (bool, error)
}

// Proofs remembers which text matched which hash.
type Proofs interface {
	Has(text apikey.Presented, phc keyhash.PHC) bool
	Add(text apikey.Presented, phc keyhash.PHC)
}

// Limiter spends rate and quota, of all keys of a chain or of none. The chain
// ends with the presented key.
type Limiter interface {
	Take(ctx context.Context, chain []limit.Line, cost int64, now record.Time) (limit.Verdict, error)
	Peek(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error)
}

// Verifier decides for one mount. All fields are required.
type Verifier struct {
	lineage.Resolver
	Reader  Reader
	Matcher Matcher
	Proofs  Proofs
	Limiter Limiter
	// Used is told of each use of a key. Version 0 is a use through a child.
	Used func(id string, version int, now record.Time)
	// Idle is told of a key that is refused because nobody used it: when it ended,
	// and the last use from which that was counted. It must not block, and must
	// have taken note before it returns.
	Idle func(id string, at, active record.Time)
	// Outdated takes a key that verified and whose hash has another cost than
	// is configured. It must not block.
	Outdated func(key apikey.Key, phc keyhash.PHC)
}

// Request is one question.
type Request struct {
	Key    apikey.Presented
	Role   string   // when set, a key of any other role is invalid
	Scopes []string // all of them are needed
	// ScopesNamed tells that whoever asks said which scopes are needed, be it none,
	// where nothing of it can have been lost. Only roles that require it care.
	ScopesNamed bool
	ClientIP    netip.Addr // the zero Addr when the gateway did not say
	Cost        int64      // what the request takes from rate and quota; 0 takes nothing
	// Room, where it is set, is asked about a key that is proven, when all but the
	// limits is decided and nothing is spent. An error of it is the answer: what
	// cannot be told shall not be paid for. It gets a copy: a pointer would send
	// each decision to the heap, also where nobody asks.
	Room func(Decision) error
}

// ErrScopesRequired is returned for a proven key whose role requires that scopes
// are named, where none were. It is no refusal of the key: a restriction that was
// lost on the way must not count as none, and who lost it must hear of it.
const ErrScopesRequired record.Mistake = "the key's role requires that scopes are named, in the body or, at authorize, in the header X-Required-Scopes, and not in a query: [] or - says that none are needed"

// Verify decides.
func (v *Verifier) Verify(ctx context.Context, r Request) (Decision, error) {
	p, ok, err := v.Prove(ctx, r.Key, r.Role)
	if err != nil {
		return Decision{}, err
	}
	if !ok {
		return Decision{Code: Invalid}, nil
	}
	// Before anything is looked up: what is found is then no older than this, so
	// a use that came in time is never overlooked.
	now := v.Clock.Now()
	l, err := v.Resolve(ctx, p.Record)
	if err != nil {
		return Decision{}, err
	}
	if l.RequiresScopes() && !r.ScopesNamed {
		return Decision{}, ErrScopesRequired
	}
	config, err := v.Reader.Config(ctx)
	if err != nil {
		return Decision{}, err
	}
	d := describe(p, &l, now)
	d.Code = v.decide(&d, &l, r, now)
	if r.Room != nil {
		if err := r.Room(d); err != nil {
			return Decision{}, err
		}
	}
	waited, err := v.limit(ctx, &d, &l, r.Cost, now)
	if err != nil {
		return Decision{}, err
	}
	if d.Valid() && waited {
		if err := v.lookAgain(ctx, &d); err != nil {
			return Decision{}, err
		}
	}
	if d.Valid() {
		v.note(p, &l, config, now)
	}
	return d, nil
}

// lookAgain refuses what ended while the request waited for its limits: for
// others that spend from the same, and for storage. What it spent is spent.
func (v *Verifier) lookAgain(ctx context.Context, d *Decision) error {
	k, found, err := v.Reader.Key(ctx, d.Key.ID)
	if err != nil {
		return err
	}
	if !found {
		d.Code = Revoked
		return nil
	}
	version := k.Find(d.Version.Number)
	if version == nil {
		d.Code = Superseded
		return nil
	}
	l, err := v.Resolve(ctx, k)
	if err != nil {
		return err
	}
	now := v.Clock.Now()
	if state := k.StateOf(version, l.Standing, now); state != record.Active {
		v.Witness(&l, now)
		d.Code = codeOf(state)
	}
	return nil
}

// note passes on what follows from a use. Nothing here can fail: the limits are
// spent.
func (v *Verifier) note(p Proven, l *lineage.Lineage, config record.Config, now record.Time) {
	v.Used(p.Record.ID, p.Version.Number, now)
	for i := range l.Ancestors {
		v.Used(l.Ancestors[i].Key.ID, 0, now)
	}
	if keyhash.NeedsRehash(p.Version.Hash, config.Argon2()) {
		v.Outdated(p.Text, p.Version.Hash)
	}
}

// describe is what a proven key shows in every answer.
func describe(p Proven, l *lineage.Lineage, now record.Time) Decision {
	k := &l.Key
	due := k.RotateBy(l.Standing, now)
	return Decision{
		Key: *k, Version: p.Version, Scopes: l.Scopes(), Metadata: l.Metadata(),
		RotationDue: due != 0 && now >= due, Limits: l.Limits(),
	}
}

// decide is everything but the limits: state, networks, scopes.
func (v *Verifier) decide(d *Decision, l *lineage.Lineage, r Request, now record.Time) Code {
	if state := l.Key.StateOf(&d.Version, l.Standing, now); state != record.Active {
		v.Witness(l, now)
		v.noteIdle(l, now)
		for i := range l.Ancestors {
			v.noteIdle(&l.Ancestors[i], now)
		}
		return codeOf(state)
	}
	if !l.Admits(r.ClientIP) {
		return IPDenied
	}
	if d.MissingScopes = scope.Missing(d.Scopes, r.Scopes); d.MissingScopes != nil {
		return InsufficientScope
	}
	return Valid
}

// noteIdle passes on that a key is refused because nobody used it, which is for
// good.
func (v *Verifier) noteIdle(l *lineage.Lineage, now record.Time) {
	k, s := &l.Key, l.Standing
	if k.Idle(s, now) && !s.Seen.Idle && k.RevokedAt == 0 && now < k.Newest().ExpiresAt {
		v.Idle(k.ID, k.IdleEnd(s), max(k.CreatedAt, s.LastUsed))
	}
}
