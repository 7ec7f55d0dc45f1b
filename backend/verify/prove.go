package verify

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/apikey"
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
func (v *Verifier) Prove(ctx context.Context, text, role string) (p Proven, ok bool, err error) {
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
	p, ok, err = v.find(ctx, key, role)
	if err != nil || !ok {
		return Proven{}, false, err
	}
	if v.Proofs.Has(text, p.Version.Hash) {
		return p, true, nil
	}
	matched, err := v.Matcher.Match(ctx, key.ID, p.Version.Hash, key.HashInput())
	if err != nil || !matched {
		return Proven{}, false, err
	}
	v.Proofs.Add(text, p.Version.Hash)
	// The hash took long. What was decided meanwhile counts.
	return v.find(ctx, key, role)
}

// find looks up the record and the version that the text claims to be. A
// version whose hash was forgotten cannot be proven any more.
func (v *Verifier) find(ctx context.Context, key apikey.Key, role string) (Proven, bool, error) {
	k, found, err := v.Reader.Key(ctx, key.ID)
	if err != nil || !found || role != "" && k.Role != role {
		return Proven{}, false, err
	}
	version := k.Find(key.Version)
	if version == nil || version.Hash == "" {
		return Proven{}, false, nil
	}
	return Proven{Text: key, Record: k, Version: *version}, true, nil
}
