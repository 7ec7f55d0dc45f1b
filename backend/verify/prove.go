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

// Traps recognise the keys that were planted to be found, and that are good for
// nothing.
type Traps interface {
	// Known answers from memory with the name of the planted key of this digest, ""
	// for none. known is false while the memory does not hold all of them.
	Known(digest apikey.Digest) (name string, known bool)
	// Find is Known that reads what is not in memory.
	Find(ctx context.Context, digest apikey.Digest) (name string, err error)
}

// ByHash proves texts by the hashes that the mount keeps. Everything in the engine that
// takes keys has one; they differ in where they wait for a hash. All fields are
// required.
type ByHash struct {
	Reader  Reader
	Matcher Matcher
	Proofs  Proofs
	Traps   Traps
	// Writable tells whether this node may write down that a planted key was used.
	Writable func() bool
}

// Failure is why a text is no key of the mount. No answer shows it: until the
// secret is proven every refusal is the same.
type Failure string

// The failures, in the order in which they are found.
const (
	Malformed        Failure = "malformed"         // no key's text, by its grammar or its checksum
	Forged           Failure = "forged"            // tagged by nobody, or by another mount
	UnknownID        Failure = "unknown_id"        // tagged here, and of no key that there is; a planted one, too
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
	// Honeytoken is the name of the planted key that the text is.
	Honeytoken string
}

// Holds tells whether the text is proven.
func (p *Proof) Holds() bool { return p.Version.Number != 0 }

// Prove finds out whether text is a key of this mount, and of the role when one
// is given.
//
// A forged key ends at the tag, before storage and before Argon2: guesses cost
// a microsecond and an unknown id as much as a known one. So does a planted key,
// which is looked for by what the check of the tag has found out, of every text
// alike: who found one and asks cannot tell it from a forged one.
func (p *ByHash) Prove(ctx context.Context, text apikey.Presented, role string) (Proof, error) {
	key, err := apikey.Parse(text)
	if err != nil {
		return Proof{Failure: Malformed}, nil
	}
	tagKey, err := p.Reader.TagKey(ctx)
	if err != nil {
		return Proof{}, err
	}
	genuine, digest := tagKey.Check(key)
	trap, known := p.Traps.Known(digest)
	switch {
	case !genuine:
		return Proof{Text: key, Failure: Forged}, nil
	case trap != "":
		return p.caught(key, trap)
	}
	claimed := Proof{Text: key} // which it proves once its secret is found right
	for matched := (keyhash.PHC{}); ; {
		failure, err := p.find(ctx, role, &claimed)
		if failure == UnknownID && !known { // once, after a start
			if trap, err = p.Traps.Find(ctx, digest); err == nil && trap != "" {
				return p.caught(key, trap)
			}
		}
		if err != nil || failure != "" {
			return Proof{Text: key, Failure: failure, Hashed: claimed.Hashed}, err
		}
		phc := claimed.Version.Hash
		if phc.Equal(matched) || p.Proofs.Has(text, phc) {
			return claimed, nil
		}
		ok, err := p.Matcher.Match(ctx, phc, key.HashInput())
		if err != nil {
			return Proof{}, err
		}
		if claimed.Hashed = true; !ok {
			return Proof{Text: key, Failure: WrongSecret, Hashed: true}, nil
		}
		matched = phc
		p.Proofs.Add(text, matched)
		// The hash took long. What was decided meanwhile counts, so the record is
		// looked up again, and what was proven counts for that hash only.
	}
}

// caught is what came of a planted key. Its use is to be written down, so a node that
// may not write passes it on: there it takes longer than a forged key, but whoever
// notices has been noticed.
func (p *ByHash) caught(key apikey.Key, trap string) (Proof, error) {
	if !p.Writable() {
		return Proof{}, record.ErrElsewhere
	}
	return Proof{Text: key, Failure: UnknownID, Honeytoken: trap}, nil
}

// find looks up the record and the version that the text claims to be, into what it
// would prove. A version whose hash was forgotten cannot be proven any more.
func (p *ByHash) find(ctx context.Context, role string, claimed *Proof) (failure Failure, err error) {
	k, found := &claimed.Key, false
	*k, found, err = p.Reader.Key(ctx, claimed.Text.ID)
	switch {
	case err != nil:
		return "", err
	case !found:
		return UnknownID, nil
	case role != "" && k.Role != role:
		return OtherRole, nil
	}
	version := k.Find(claimed.Text.Version)
	if version == nil || version.Hash.None() {
		return ForgottenVersion, nil
	}
	claimed.Version = *version
	return "", nil
}
