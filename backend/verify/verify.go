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

// Verifier decides for one mount. All fields are required, but for Undecided.
type Verifier struct {
	Prover   Prover
	Resolver lineage.Resolver
	Limiter  Limiter
	Observer Observer
	// Undecided, where it is set, is told of each request that could not be decided, and
	// why; of nil where a panic ended it.
	Undecided func(why error)
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
	var o Observation
	decided, err := false, error(nil)
	defer func() {
		if !decided && v.Undecided != nil {
			v.Undecided(err)
		}
	}()
	if err = v.decide(ctx, r, &o); err != nil {
		return Decision{}, err
	}
	decided = true
	o.Took = time.Since(begun)
	v.Observer.Observe(o)
	return o.Decision, nil
}

// decide fills in what is observed, where it lies: it is large, and copied as seldom as
// can be.
func (v *Verifier) decide(ctx context.Context, r Request, o *Observation) error {
	p, err := v.Prover.Prove(ctx, r.Key, r.Role)
	if err != nil {
		return err
	}
	// Before anything is looked up: what is found is then no older than this, so
	// a use that came in time is never overlooked.
	o.At = v.Resolver.Clock.Now()
	o.Failure, o.Honeytoken, o.Text, o.Hashed = p.Failure, p.Honeytoken, p.Text, p.Hashed
	o.Role, o.ClientIP, o.Cost = r.Role, r.ClientIP, r.Cost
	if !p.Holds() {
		o.Decision.Code = Invalid
		return nil
	}
	if o.Lineage, err = v.Resolver.Resolve(ctx, p.Key, o.At); err != nil {
		return err
	}
	if o.Lineage.RequiresScopes() && !r.ScopesNamed {
		return ErrScopesRequired
	}
	version := o.Lineage.Key.Find(p.Version.Number) // as it is now
	code, brownout := v.judge(o, version, r)
	// The first use of a version is told everywhere by the node that writes it down.
	if code == Valid && Activates(version, r.Cost) && !v.Writable() {
		return record.ErrElsewhere
	}
	if r.Room != nil {
		if err := r.Room(o.Decision.Description); err != nil {
			return err
		}
	}
	code, left, waited, err := v.limit(ctx, code, &o.Lineage, r.Cost, o.At)
	if err != nil {
		return err
	}
	if code == Valid && waited {
		if code, err = v.lookAgain(ctx, o, version.Number); err != nil {
			return err
		}
	}
	if brownout > 0 {
		left.RetryAfter = brownout
	}
	o.Decision.Code, o.Decision.Allowance = code, left
	return nil
}

// Activates tells whether a valid answer about a version is the first use of one
// that waits for it.
func Activates(version *record.Version, cost int64) bool { return version.Waits() && cost > 0 }

// judge is everything but the limits: state, networks, scopes; and it fills in what the
// answer holds. A brownout is one of the version, for as many seconds.
func (v *Verifier) judge(o *Observation, version *record.Version, r Request) (code Code, brownout record.Seconds) {
	l, d, now := &o.Lineage, &o.Decision.Description, o.At
	d.Key, d.Version, d.Scopes, d.Metadata = l.Key, *version, l.Scopes(), l.Metadata()
	d.RotationDue = l.Key.RotationDue(version, l.Standing, now)
	state := l.Key.StateOf(version, l.Standing, now)
	if !state.Ended() {
		if brownout = l.Standing.Role.Brownout(version, now); brownout > 0 {
			return Superseded, brownout
		}
	}
	if state != record.Active {
		v.Resolver.Witness(l)
		return Code(state), 0
	}
	if !l.Admits(r.ClientIP) {
		return IPDenied, 0
	}
	if d.MissingScopes = scope.Missing(d.Scopes, r.Scopes); d.MissingScopes != nil {
		return InsufficientScope, 0
	}
	return Valid, 0
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
	now := v.Resolver.Clock.Now()
	l, err := v.Resolver.Resolve(ctx, k, now)
	if err != nil {
		return "", err
	}
	version := l.Key.Find(number)
	if version == nil {
		return Superseded, nil
	}
	state := l.Key.StateOf(version, l.Standing, now)
	if state == record.Active {
		return Valid, nil
	}
	v.Resolver.Witness(&l)
	o.Lineage, o.At = l, now // by which it is refused
	return Code(state), nil
}
