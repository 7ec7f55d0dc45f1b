package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// ErrNoTagKey is returned when the mount's tag key is missing. Without it no key
// can be told from a forged one, so this is storage trouble and no verdict.
var ErrNoTagKey = errors.New("the mount's tag key is missing")

type tagKeyRecord struct {
	Secret []byte `json:"secret"`
}

// TagKey is the mount's tag key, from memory once it was read.
func (s *Store) TagKey(ctx context.Context) (*apikey.TagKey, error) {
	tk, ok, ticket := s.tagKey.Get(tagKeyPath)
	if ok {
		return tk, nil
	}
	stored, found, err := read[tagKeyRecord](ctx, s.storage, tagKeyPath)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNoTagKey
	}
	tk, err = apikey.NewTagKey(stored.Secret)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", tagKeyPath, err)
	}
	s.tagKey.Fill(tagKeyPath, tk, ticket)
	return tk, nil
}

// EnsureTagKey makes the tag key of an empty mount. Where it is missing although
// keys exist it makes none: a new one would turn every key into an invalid one,
// while the old one may come back with the storage.
//
// Two at the same time must not make two: keys tagged by the first would be lost
// with it.
func (s *Store) EnsureTagKey(ctx context.Context, rand io.Reader) error {
	s.makeTagKey.Lock()
	defer s.makeTagKey.Unlock()
	_, err := s.TagKey(ctx)
	if !errors.Is(err, ErrNoTagKey) {
		return err
	}
	for _, folder := range []string{keyFolder, honeytokenFolder} {
		if there, err := s.list(ctx, folder); err != nil || len(there) > 0 {
			return cmp.Or(err, ErrNoTagKey)
		}
	}
	secret := make([]byte, apikey.TagKeyLength)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return fmt.Errorf("make the tag key: %w", err)
	}
	return write(ctx, s.storage, tagKeyPath, tagKeyRecord{secret})
}
