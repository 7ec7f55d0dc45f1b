package verify

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Proven is a presented key whose secret is right. It says nothing about
// whether the key is still good.
type Proven struct {
	Text    apikey.Key
	Record  record.Key
	Version record.Version // the presented one
}

// Prove finds out whether text is a key of this mount, and of the role when one
// is given. ok is false for every other text, whatever is wrong with it.
//
// A forged key ends at the tag, before storage and before Argon2: guesses cost
// a microsecond and an unknown id as much as a known one.
func (v *Verifier) Prove(ctx context.Context, text apikey.Presented, role string) (p Proven, ok bool, err error) {
	key, err := apikey.Parse(text)
	if err != nil {
		return Proven{}, false, nil
	}
	tagKey, err := v.Reader.TagKey(ctx)
	if err != nil {
		return Proven{}, false, err
	}
	if !tagKey.Genuine(key) {
		return Proven{}, false, nil
	}
	for matched := (keyhash.PHC{}); ; {
		p, ok, err = v.find(ctx, key, role)
		if err != nil || !ok {
			return Proven{}, false, err
		}
		if p.Version.Hash.Equal(matched) || v.Proofs.Has(text, p.Version.Hash) {
			return p, true, nil
		}
		ok, err = v.Matcher.Match(ctx, key.ID, p.Version.Hash, key.HashInput())
		if err != nil || !ok {
			return Proven{}, false, err
		}
		matched = p.Version.Hash
		v.Proofs.Add(text, matched)
		// The hash took long. What was decided meanwhile counts, so the record is
		// looked up again, and what was proven counts for that hash only.
	}
}

// find looks up the record and the version that the text claims to be. A
// version whose hash was forgotten cannot be proven any more.
func (v *Verifier) find(ctx context.Context, key apikey.Key, role string) (Proven, bool, error) {
	k, found, err := v.Reader.Key(ctx, key.ID)
	if err != nil || !found || role != "" && k.Role != role {
		return Proven{}, false, err
	}
	version := k.Find(key.Version)
	if version == nil || version.Hash.None() {
		return Proven{}, false, nil
	}
	return Proven{Text: key, Record: k, Version: *version}, true, nil
}
