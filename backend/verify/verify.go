// Package verify decides whether one presented key is good for one request.
//
// It walks forward only: the text is parsed, its tag checked, its record found,
// its secret proven; from there on the key is proven and the text is not looked
// at again; then state, networks and scopes are decided by the record and the
// role as they are now. Until the secret is proven every refusal is the same.
//
// A refusal is a Decision, an error is a fault. The package sees nothing that
// writes a record, and so cannot. What follows from a decision is for an Observer.
package verify

import (
	"context"
	"net/netip"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
)

// Limiter spends rate and quota, of all keys of a chain or of none. The chain
// ends with the presented key.
type Limiter interface {
	Take(ctx context.Context, chain []limit.Line, cost int64, now record.Time) (limit.Verdict, error)
	Peek(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error)
}

// Prover finds out which key a presented text is, of this role where one is given. The
// engine has ByHash; who keeps no hashes must ask the engine.
//
// A Proof that holds is of a version that its Key has.
type Prover interface {
	Prove(ctx context.Context, text apikey.Presented, role string) (Proof, error)
}

// Verifier decides for one mount. All fields are required.
type Verifier struct {
	Prover   Prover
	Resolver lineage.Resolver
	Limiter  Limiter
	Observer Observer
	// Writable tells whether this node may write down that a version took effect.
	Writable func() bool
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
	// each description to the heap, also where nobody asks.
	Room func(Description) error
}

// ErrScopesRequired is returned for a proven key whose role requires that scopes
// are named, where none were. It is no refusal of the key: a restriction that was
// lost on the way must not count as none, and who lost it must hear of it.
const ErrScopesRequired record.Mistake = "the key's role requires that scopes are named, in the body or, at authorize, in the header X-Required-Scopes, and not in a query: [] or - says that none are needed"

// Verify decides, and tells the observer.
func (v *Verifier) Verify(ctx context.Context, r Request) (Decision, error) {
	begun := time.Now()
	o, err := v.decide(ctx, r)
	if err != nil {
		return Decision{}, err
	}
	o.Took = time.Since(begun)
	v.Observer.Observe(o)
	return o.Decision, nil
}

func (v *Verifier) decide(ctx context.Context, r Request) (Observation, error) {
	p, err := v.Prover.Prove(ctx, r.Key, r.Role)
	if err != nil {
		return Observation{}, err
	}
	// Before anything is looked up: what is found is then no older than this, so
	// a use that came in time is never overlooked.
	o := Observation{Failure: p.Failure, Honeytoken: p.Honeytoken, Text: p.Text, At: v.Resolver.Clock.Now(), Role: r.Role, ClientIP: r.ClientIP, Cost: r.Cost, Hashed: p.Hashed}
	if !p.Holds() {
		o.Decision = Decision{Code: Invalid}
		return o, nil
	}
	if o.Lineage, err = v.Resolver.Resolve(ctx, p.Key); err != nil {
		return o, err
	}
	if o.Lineage.RequiresScopes() && !r.ScopesNamed {
		return o, ErrScopesRequired
	}
	version := o.Lineage.Key.Find(p.Version.Number) // as it is now
	code, brownout, shown := v.judge(&o.Lineage, version, r, o.At)
	// The first use of a version is told everywhere by the node that writes it down.
	if code == Valid && Activates(version, r.Cost) && !v.Writable() {
		return o, record.ErrElsewhere
	}
	if r.Room != nil {
		if err := r.Room(shown); err != nil {
			return o, err
		}
	}
	code, left, waited, err := v.limit(ctx, code, &o.Lineage, r.Cost, o.At)
	if err != nil {
		return o, err
	}
	if code == Valid && waited {
		if code, err = v.lookAgain(ctx, &o, version.Number); err != nil {
			return o, err
		}
	}
	if brownout > 0 {
		left.RetryAfter = brownout
	}
	o.Decision = Decision{code, shown, left}
	return o, nil
}

// Activates tells whether a valid answer about a version is the first use of one
// that waits for it.
func Activates(version *record.Version, cost int64) bool { return version.Waits() && cost > 0 }

// judge is everything but the limits: state, networks, scopes; and what the answer
// holds. A brownout is one of the version, for as many seconds.
func (v *Verifier) judge(l *lineage.Lineage, version *record.Version, r Request, now record.Time) (code Code, brownout record.Seconds, d Description) {
	d = Description{
		Key: l.Key, Version: *version, Scopes: l.Scopes(), Metadata: l.Metadata(),
		RotationDue: l.Key.RotationDue(version, l.Standing, now),
	}
	state := l.Key.StateOf(version, l.Standing, now)
	if !state.Ended() {
		if brownout = l.Standing.Role.Brownout(version, now); brownout > 0 {
			return Superseded, brownout, d
		}
	}
	if state != record.Active {
		v.Resolver.Witness(l)
		return Code(state), 0, d
	}
	if !l.Admits(r.ClientIP) {
		return IPDenied, 0, d
	}
	if d.MissingScopes = scope.Missing(d.Scopes, r.Scopes); d.MissingScopes != nil {
		return InsufficientScope, 0, d
	}
	return Valid, 0, d
}

// lookAgain refuses what ended while the request waited for its limits: for
// others that spend from the same, and for storage. What it spent is spent.
func (v *Verifier) lookAgain(ctx context.Context, o *Observation, number int) (Code, error) {
	k, found, err := v.Resolver.Reader.Key(ctx, o.Lineage.Key.ID)
	if err != nil {
		return "", err
	}
	if !found {
		return Revoked, nil
	}
	l, err := v.Resolver.Resolve(ctx, k)
	if err != nil {
		return "", err
	}
	version := l.Key.Find(number)
	if version == nil {
		return Superseded, nil
	}
	now := v.Resolver.Clock.Now()
	state := l.Key.StateOf(version, l.Standing, now)
	if state == record.Active {
		return Valid, nil
	}
	v.Resolver.Witness(&l)
	o.Lineage, o.At = l, now // by which it is refused
	return Code(state), nil
}
