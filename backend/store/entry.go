package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/record"
)

// settleTime bounds the read that finds out whether a failed write took effect.
const settleTime = 5 * time.Second

// ErrUnreadable is returned for an entry that holds no record of its kind, or one
// in a form that this version of the plugin does not know. It is trouble with one
// entry; the others are fine.
var ErrUnreadable = errors.New("the stored record cannot be read")

var errDamaged = fmt.Errorf("%w: it is damaged", ErrUnreadable)

// stored is how a record of any kind lies in storage.
type stored[V any] struct {
	Format int `json:"v"`
	Value  V   `json:"record"`
}

// read loads the record under path. A form that this code does not know is an
// error, not a guess.
func read[V any](ctx context.Context, storage logical.Storage, path string) (v V, found bool, err error) {
	entry, err := storage.Get(ctx, path)
	if err != nil {
		return v, false, fmt.Errorf("read %s: %w", path, err)
	}
	if entry == nil {
		return v, false, nil
	}
	v, err = decode[V](entry.Value)
	if err != nil {
		return v, false, fmt.Errorf("read %s: %w", path, err)
	}
	return v, true, nil
}

// decode never puts what it was given into its error: the text may hold a hash.
func decode[V any](raw []byte) (v V, err error) {
	var s stored[V]
	if json.Unmarshal(raw, &s) != nil {
		return v, errDamaged
	}
	if s.Format != record.Format {
		return v, fmt.Errorf("%w: it has format %d, this version of the plugin reads %d", ErrUnreadable, s.Format, record.Format)
	}
	// JSON reads what lost a part as something smaller. A verdict on that would
	// call a good key invalid, where the trouble is the storage's.
	if r, ok := any(s.Value).(interface{ Intact() bool }); ok && !r.Intact() {
		return v, errDamaged
	}
	return s.Value, nil
}

// write puts the record under path.
//
// A failed Put may have taken effect all the same. Answering with an error then
// could cost a holder both keys: the old one superseded, the new one never seen.
// So a failure is settled by reading back what storage now holds.
func write[V any](ctx context.Context, storage logical.Storage, path string, v V) error {
	entry, err := encode(path, v)
	if err != nil {
		return err
	}
	err = storage.Put(ctx, entry)
	if err == nil || settled(ctx, storage, path, err, func(e *logical.StorageEntry) bool {
		return e != nil && bytes.Equal(e.Value, entry.Value)
	}) {
		return nil
	}
	return fmt.Errorf("write %s: %w", path, err)
}

func encode[V any](path string, v V) (*logical.StorageEntry, error) {
	raw, err := json.Marshal(stored[V]{record.Format, v})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", path, err)
	}
	return &logical.StorageEntry{Key: path, Value: raw}, nil
}

// remove deletes the entry under path, whether or not there is one.
func remove(ctx context.Context, storage logical.Storage, path string) error {
	err := storage.Delete(ctx, path)
	if err == nil || settled(ctx, storage, path, err, func(e *logical.StorageEntry) bool { return e == nil }) {
		return nil
	}
	return fmt.Errorf("delete %s: %w", path, err)
}

// settled tells whether storage is as the failed operation wanted it.
func settled(ctx context.Context, storage logical.Storage, path string, cause error, wanted func(*logical.StorageEntry) bool) bool {
	if IsReadOnly(cause) {
		return false
	}
	// The caller may have hung up, which is why the write failed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	entry, err := storage.Get(ctx, path)
	return err == nil && wanted(entry)
}

// Elsewhere tells whether only the node that may write can answer.
func Elsewhere(err error) bool { return IsReadOnly(err) || errors.Is(err, record.ErrElsewhere) }

// IsReadOnly tells whether err is Vault's refusal to write on a standby, which
// must reach Vault as it is so that the request is forwarded. Between processes
// an error is only its text.
func IsReadOnly(err error) bool {
	return err != nil && strings.Contains(err.Error(), logical.ErrReadOnly.Error())
}
