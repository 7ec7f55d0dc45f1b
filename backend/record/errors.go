package record

import (
	"errors"
	"fmt"
)

// ErrNotFound is returned when a key, role or owner does not exist, or is to be
// treated as if it did not.
var ErrNotFound = errors.New("not found")

// ErrKeyNotFound is returned when a presented key is not proven, for whatever
// reason, and when a key id names no record. One text for every reason, so that
// it tells a guesser nothing.
var ErrKeyNotFound = fmt.Errorf("key %w", ErrNotFound)

// ErrRoleNotFound is returned for a role that does not exist.
var ErrRoleNotFound = fmt.Errorf("role %w", ErrNotFound)

// ErrElsewhere is returned when only the node that may write can answer. Vault
// passes the request on to it.
var ErrElsewhere = errors.New("only a node that may write can answer")

// ErrUnchanged is returned by a change to say that there is nothing to write.
var ErrUnchanged = errors.New("unchanged")

// Mistake is an error of the caller: a 400. Its text reaches the caller, so it
// never holds a value that the caller sent.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// Mistakef formats a Mistake.
func Mistakef(format string, args ...any) error { return Mistake(fmt.Sprintf(format, args...)) }

// Conflict is a request that the present state forbids: a 409. Its text reaches
// the caller.
type Conflict string

func (c Conflict) Error() string { return string(c) }

// The conflicts that more than one operation can meet.
const (
	ErrKeyEnded       Conflict = "the key has ended"
	ErrKeyNotActive   Conflict = "the key is not active"
	ErrRoleDisabled   Conflict = "the role is disabled"
	ErrRoleInUse      Conflict = "the role still has keys that have not ended; end them first, all at once with stop/roles"
	ErrNotNewest      Conflict = "this version of the key is superseded; use the newest version"
	ErrVersionOver    Conflict = "this version of the key is superseded and its grace is over; who may revoke by key_id can end the key"
	ErrVersionDiffers Conflict = "expected_version is not the key's newest version"
	ErrRotatedAlready Conflict = "the key was rotated by another request at the same time"
	ErrOwnerFull      Conflict = "the owner has as many keys as the role's max_keys_per_owner allows"
	ErrNoMoreRenewals Conflict = "the version has lived for as long as its role and the mount allow; rotate the key"
	ErrLastVersion    Conflict = "the key has reached its last version number; issue a new key"
)
