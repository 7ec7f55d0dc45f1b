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
	"net/http"
	"net/netip"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/scope"
)

// Reader is what a decision reads. It answers from memory when warm.
type Reader interface {
	TagKey(ctx context.Context) (*apikey.TagKey, error)
	Key(ctx context.Context, id string) (record.Key, bool, error)
	Role(ctx context.Context, name string) (*record.Role, error)
	Config(ctx context.Context) (record.Config, error)
}

// Matcher runs Argon2 in one of the process's slots.
type Matcher interface {
	Match(ctx context.Context, id, phc, text string) (bool, error)
}

// Proofs remembers which text matched which hash.
type Proofs interface {
	Has(text, phc string) bool
	Add(text, phc string)
}

// Clock tells the time by which decisions are made.
type Clock interface{ Now() record.Time }

// Verifier decides for one mount. All fields are required.
type Verifier struct {
	Reader  Reader
	Matcher Matcher
	Proofs  Proofs
	Clock   Clock
	// Outdated takes a key that verified and whose hash has another cost than
	// is configured. It must not block.
	Outdated func(key apikey.Key, phc string)
}

// Request is one question.
type Request struct {
	Key      string
	Role     string     // when set, a key of any other role is invalid
	Scopes   []string   // all of them are needed
	ClientIP netip.Addr // the zero Addr when the gateway did not say
}

// Code is the outcome of a decision.
type Code string

// The codes, in the order in which they are looked for.
const (
	Valid             Code = "valid"
	Invalid           Code = "invalid"
	Revoked           Code = "revoked"
	Expired           Code = "expired"
	Superseded        Code = "superseded"
	Disabled          Code = "disabled"
	IPDenied          Code = "ip_denied"
	InsufficientScope Code = "insufficient_scope"
)

// HTTPStatus is what a gateway should answer its client.
func (c Code) HTTPStatus() int {
	switch c {
	case Valid:
		return http.StatusOK
	case Disabled, IPDenied, InsufficientScope:
		return http.StatusForbidden
	default:
		return http.StatusUnauthorized
	}
}

// Decision is the answer. The zero Decision denies. Everything but Code is only
// set when the key is proven.
type Decision struct {
	Code          Code
	Key           record.Key
	Version       record.Version // the presented one
	Scopes        []string       // effective: the key's, as far as the role still allows them
	Metadata      map[string]string
	MissingScopes []string // with InsufficientScope
	RotationDue   bool
}

// Valid tells whether the key is good for the request.
func (d Decision) Valid() bool { return d.Code == Valid }

// Proven tells whether the presented text is a key of this mount.
func (d Decision) Proven() bool { return d.Version.Number != 0 }

// Verify decides.
func (v *Verifier) Verify(ctx context.Context, r Request) (Decision, error) {
	p, ok, err := v.Prove(ctx, r.Key, r.Role)
	if err != nil {
		return Decision{}, err
	}
	if !ok {
		return Decision{Code: Invalid}, nil
	}
	role, err := v.Reader.Role(ctx, p.Record.Role)
	if err != nil {
		return Decision{}, err
	}
	d := v.decide(p, role, r)
	if !d.Valid() {
		return d, nil
	}
	if err := v.offerRehash(ctx, p); err != nil {
		return Decision{}, err
	}
	return d, nil
}

// decide is the part after the proof: pure but for the clock.
func (v *Verifier) decide(p Proven, role *record.Role, r Request) Decision {
	now := v.Clock.Now()
	k := p.Record
	d := Decision{Key: k, Version: p.Version, Metadata: k.Metadata}
	if role != nil && role.UID == k.RoleUID {
		d.Scopes = scope.Intersect(k.Scopes, role.AllowedScopes)
		d.Metadata = role.MergeMetadata(k.Metadata)
		due := k.RotateBy(role)
		d.RotationDue = due != 0 && now >= due
	}
	if state := k.StateOf(&p.Version, role, now); state != record.Active {
		d.Code = codeOf(state)
		return d
	}
	if !k.BoundCIDRs.Contains(r.ClientIP) && !k.BoundCIDRs.Empty() ||
		!role.BoundCIDRs.Contains(r.ClientIP) && !role.BoundCIDRs.Empty() {
		d.Code = IPDenied
		return d
	}
	if d.MissingScopes = scope.Missing(d.Scopes, r.Scopes); d.MissingScopes != nil {
		d.Code = InsufficientScope
		return d
	}
	d.Code = Valid
	return d
}

// codeOf maps a state that refuses. A state that it does not know refuses too.
func codeOf(s record.State) Code {
	switch s {
	case record.Expired:
		return Expired
	case record.Superseded:
		return Superseded
	case record.Disabled:
		return Disabled
	default:
		return Revoked
	}
}

func (v *Verifier) offerRehash(ctx context.Context, p Proven) error {
	config, err := v.Reader.Config(ctx)
	if err != nil {
		return err
	}
	if keyhash.NeedsRehash(p.Version.Hash, config.Argon2()) {
		v.Outdated(p.Text, p.Version.Hash)
	}
	return nil
}
