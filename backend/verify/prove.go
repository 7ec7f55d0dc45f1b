package verify

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Reader is what a proof reads. It answers from memory when warm.
type Reader interface {
	TagKey(ctx context.Context) (*apikey.TagKey, error)
	Key(ctx context.Context, id string) (record.Key, bool, error)
}

// Matcher runs Argon2 in one of the process's slots.
type Matcher interface {
	Match(ctx context.Context, phc keyhash.PHC, text string) (bool, error)
}

// Proofs remembers which text matched which hash.
type Proofs interface {
	Has(text apikey.Presented, phc keyhash.PHC) bool
	Add(text apikey.Presented, phc keyhash.PHC)
}

// Prover finds out which key of one mount a presented text is. Everything that
// takes keys has one; they differ in where they wait for a hash. All fields are
// required.
type Prover struct {
	Reader  Reader
	Matcher Matcher
	Proofs  Proofs
}

// Failure is why a text is no key of the mount. No answer shows it: until the
// secret is proven every refusal is the same.
type Failure string

// The failures, in the order in which they are found.
const (
	Malformed        Failure = "malformed"         // no key's text, by its grammar or its checksum
	Forged           Failure = "forged"            // tagged by nobody, or by another mount
	UnknownID        Failure = "unknown_id"        // tagged here, and of no key that there is
	OtherRole        Failure = "other_role"        // of a key of another role than was asked for; not proven
	ForgottenVersion Failure = "forgotten_version" // of a key, and of no version whose hash is still kept
	WrongSecret      Failure = "wrong_secret"
)

// Proof is what came of a presented text. The zero Proof proves nothing. What it
// proves is that the secret is right, not that the key is still good.
type Proof struct {
	Text    apikey.Key     // the zero Key of a malformed text
	Key     record.Key     // like Version, of a proven text only
	Version record.Version // the presented one
	Failure Failure        // why the text is not proven
	Hashed  bool           // Argon2 was asked
}

// Holds tells whether the text is proven.
func (p *Proof) Holds() bool { return p.Version.Number != 0 }

// Prove finds out whether text is a key of this mount, and of the role when one
// is given.
//
// A forged key ends at the tag, before storage and before Argon2: guesses cost
// a microsecond and an unknown id as much as a known one.
func (p *Prover) Prove(ctx context.Context, text apikey.Presented, role string) (Proof, error) {
	key, err := apikey.Parse(text)
	if err != nil {
		return Proof{Failure: Malformed}, nil
	}
	tagKey, err := p.Reader.TagKey(ctx)
	if err != nil {
		return Proof{}, err
	}
	if !tagKey.Genuine(key) {
		return Proof{Text: key, Failure: Forged}, nil
	}
	for matched := (keyhash.PHC{}); ; {
		k, v, failure, err := p.find(ctx, key, role)
		if err != nil || failure != "" {
			return Proof{Text: key, Failure: failure, Hashed: !matched.None()}, err
		}
		if v.Hash.Equal(matched) || p.Proofs.Has(text, v.Hash) {
			return Proof{Text: key, Key: k, Version: v, Hashed: !matched.None()}, nil
		}
		ok, err := p.Matcher.Match(ctx, v.Hash, key.HashInput())
		if err != nil {
			return Proof{}, err
		}
		if !ok {
			return Proof{Text: key, Failure: WrongSecret, Hashed: true}, nil
		}
		matched = v.Hash
		p.Proofs.Add(text, matched)
		// The hash took long. What was decided meanwhile counts, so the record is
		// looked up again, and what was proven counts for that hash only.
	}
}

// find looks up the record and the version that the text claims to be. A
// version whose hash was forgotten cannot be proven any more.
func (p *Prover) find(ctx context.Context, key apikey.Key, role string) (k record.Key, v record.Version, failure Failure, err error) {
	k, found, err := p.Reader.Key(ctx, key.ID)
	switch {
	case err != nil:
		return k, v, "", err
	case !found:
		return k, v, UnknownID, nil
	case role != "" && k.Role != role:
		return k, v, OtherRole, nil
	}
	version := k.Find(key.Version)
	if version == nil || version.Hash.None() {
		return k, v, ForgottenVersion, nil
	}
	return k, *version, "", nil
}
