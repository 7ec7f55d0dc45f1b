package edge

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

// Question is what a gateway asks.
type Question struct {
	verify.Request
	// Client is whose the key is, as far as known, and bounds how many texts that are no
	// keys Vault is asked about; the zero Addr where that is not known. It decides nothing.
	Client netip.Addr
	// MinCursor is a cursor that an engine answered: who names one wants a verdict that
	// knows of everything up to it; "" for none.
	MinCursor string
}

// Answer is a decision of a mirror.
type Answer struct {
	verify.Decision
	// Stale is how old the knowledge was by which it was made, where it is older than
	// max_staleness; 0 where it is not.
	Stale time.Duration
}

// ErrRoleNeeded is returned where the gate has several roles and none is asked for.
const ErrRoleNeeded record.Mistake = "this gate has several roles: ask at the path of one of them"

// Unproven is the failure of a text that Vault says is none, and does not say why.
const Unproven verify.Failure = "unproven"

// Verify decides by what the mirror knows, or asks Vault first where it has to. An error
// that is a Trouble is no verdict, and neither is any other.
//
// A verdict is of one moment: where it had to wait for Vault, all is looked at anew.
func (m *Mirror) Verify(ctx context.Context, q Question) (Answer, error) {
	m.verdicts.Add(1)
	role, err := m.door(q.Role)
	if err != nil {
		return Answer{}, err
	}
	q.Role = role
	w := &walk{m: m, client: q.Client, cursor: q.MinCursor, door: role, cost: q.Cost}
	w.Verifier = verify.Verifier{Prover: w, Resolver: m.resolver, Limiter: w, Observer: w, Writable: always}
	w.Resolver.Reader = w
	for {
		if w.spent {
			q.Cost = 0 // it is paid for
		}
		d, err := w.Verify(ctx, q.Request)
		switch {
		case errors.Is(err, errAgain):
			continue
		case err != nil:
			return Answer{}, trouble(err)
		case w.expired != "":
			w.ask(ctx, wire.KeyKind, w.expired)
			w.expired = ""
			continue
		case w.late != nil:
			return Answer{}, w.late
		}
		return Answer{d, w.stale}, nil
	}
}

func always() bool { return true }

// trouble tells overload by its word, whatever it is of.
func trouble(err error) error {
	if busy := record.Busy(""); errors.As(err, &busy) {
		return ErrBusy
	}
	return err
}

// door is the role whose keys are good for a question, "" for all.
func (m *Mirror) door(role string) (string, error) {
	roles := m.settings.Load().Roles
	switch {
	case role != "" || len(roles) == 0:
		return role, nil
	case len(roles) == 1:
		return roles[0], nil
	}
	return "", ErrRoleNeeded
}

// walk is one question on its way through the engine's verifier, to which it is prover,
// reader and observer.
type walk struct {
	verify.Verifier
	m      *Mirror
	client netip.Addr
	cursor string
	door   string

	seen    bool          // that it has looked at something since it began, or began anew
	spent   bool          // that its cost was taken
	cost    int64         // that was asked for
	stale   time.Duration // how old what it has seen is, where that is too old
	until   time.Duration // when it has waited long enough for Vault; 0 before it has waited
	expired string        // the key_id of a decision that is to be made once more
	asked   bool
	late    error // why the decision is not answered
}

// Prove finds out which key a text is by what was proven before, or asks Vault. A text
// that is none by its form is told so whatever the mirror knows.
func (w *walk) Prove(ctx context.Context, text apikey.Presented, role string) (verify.Proof, error) {
	key, err := apikey.Parse(text)
	if err != nil {
		return verify.Proof{Failure: verify.Malformed}, nil
	}
	w.seen = false
	if w.stale, err = w.m.fresh(); err != nil {
		return verify.Proof{}, err
	}
	if w.cursor != "" {
		if err := w.m.reached(w.cursor); err != nil {
			return verify.Proof{}, err
		}
	}
	if roles := w.m.settings.Load().Roles; len(roles) > 0 && !slices.Contains(roles, role) {
		return verify.Proof{Text: key, Failure: verify.OtherRole}, nil
	}
	mac := w.m.texts.macs.Of(text, "")
	of, ok, _ := w.m.texts.proofs.Get(mac)
	if !ok {
		none, err := w.prove(ctx, key, about{name{role, "", key.ID}, mac})
		if err != nil || none {
			return verify.Proof{Text: key, Failure: Unproven}, err
		}
		if of, ok = w.m.texts.proofs.Peek(mac); !ok {
			return verify.Proof{}, errAgain
		}
	}
	p, err := w.version(ctx, key, of, role)
	if err == errAgain { // the proof is of a version that this one has taken the place of
		w.m.texts.proofs.Drop(mac)
	}
	return p, err
}

// version is the proof of a text that is a version of a key, as far as the key's record
// still says so.
func (w *walk) version(ctx context.Context, text apikey.Key, of proven, role string) (verify.Proof, error) {
	p, found, err := verify.Proof{Text: text}, false, error(nil)
	p.Key, found, err = w.Key(ctx, of.id)
	v := p.Key.Find(of.version)
	switch {
	case err != nil:
		return verify.Proof{}, err
	case !found:
		return verify.Proof{Text: text, Failure: verify.UnknownID}, nil
	case role != "" && p.Key.Role != role:
		return verify.Proof{Text: text, Failure: verify.OtherRole}, nil
	case v == nil || v.Hash.None():
		return verify.Proof{Text: text, Failure: verify.ForgottenVersion}, nil
	case v.CreatedAt != of.created:
		return verify.Proof{}, errAgain
	}
	p.Version = *v
	return p, nil
}

// prove asks whether a text is a key, unless that was asked lately.
func (w *walk) prove(ctx context.Context, key apikey.Key, of about) (none bool, err error) {
	if before, ok := w.m.texts.invalid.Peek(key.ID); ok && before.has(w.m.texts.macs.Of(key.Presented(), of.door), w.m.now()) {
		return true, nil
	}
	return w.m.wait(ctx, of, key.Presented(), clientOf(w.client), w.deadline())
}

// deadline is when the walk has waited long enough.
func (w *walk) deadline() time.Duration {
	if w.until == 0 {
		w.until = w.m.now() + w.m.settings.Load().ColdTimeout
	}
	return w.until
}

// Take spends, once a walk.
func (w *walk) Take(ctx context.Context, chain []limit.Line, cost int64, now record.Time) (limit.Verdict, error) {
	w.spent = true
	return w.m.limiter.Take(ctx, chain, cost, now)
}

// Peek looks what is left.
func (w *walk) Peek(ctx context.Context, line limit.Line, now record.Time) (limit.Remaining, error) {
	return w.m.limiter.Peek(ctx, line, now)
}

// Observe is told of the decision. One that refuses what has expired is made once more,
// by what Vault says now: a renewal may be on its way, or a use elsewhere. Of that nobody
// tells, so what seems idle by what was known long ago is no verdict.
func (w *walk) Observe(o verify.Observation) {
	if l := lapsed(&o); l != nil {
		if !w.asked && w.renewable(l.Key.ID) {
			w.asked, w.expired = true, l.Key.ID
			return
		}
		if o.At < l.Key.Current().ExpiresAt && !w.askedLately(l.Key.ID) {
			w.late = ErrStale
			w.askBehind(l.Key.ID)
			return
		}
	}
	o.Cost = w.cost
	// Time has passed since it was looked at. What is not answered is told to nobody.
	if o.Decision.Valid() {
		if _, w.late = w.m.fresh(); w.late != nil {
			return
		}
	}
	w.m.observe(&o)
}

var _ lineage.Reader = (*walk)(nil)
