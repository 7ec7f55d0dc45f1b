package record

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrElsewhere is returned when only the node that may write can answer. Vault
// passes the request on to it.
var ErrElsewhere = errors.New("only a node that may write can answer")

// ErrUnchanged is returned by a change to say that there is nothing to write.
var ErrUnchanged = errors.New("unchanged")

// Except is the error unless it is the expected one, like that of work on a key
// that may have been removed meanwhile.
func Except(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// The kinds of errors that the caller is told of, in their own words. Each knows
// its HTTP status. Their texts never hold a value that the caller sent, and never
// anything that only the log should see.

// Mistake is an error of the caller.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// HTTPStatus is 400.
func (Mistake) HTTPStatus() int { return http.StatusBadRequest }

// Mistakef formats a Mistake.
func Mistakef(format string, args ...any) error { return Mistake(fmt.Sprintf(format, args...)) }

// NotFound is something that does not exist, or is to be treated as if it did not.
type NotFound string

func (n NotFound) Error() string { return string(n) }

// HTTPStatus is 404.
func (NotFound) HTTPStatus() int { return http.StatusNotFound }

// Conflict is a request that the present state forbids.
type Conflict string

func (c Conflict) Error() string { return string(c) }

// HTTPStatus is 409.
func (Conflict) HTTPStatus() int { return http.StatusConflict }

// Busy is overload: the same request may succeed later.
type Busy string

func (b Busy) Error() string { return string(b) }

// HTTPStatus is 503.
func (Busy) HTTPStatus() int { return http.StatusServiceUnavailable }

const (
	// ErrKeyNotFound is returned when a presented key is not proven, for whatever
	// reason, and when a key id names no record. One text for every reason, so that
	// it tells a guesser nothing.
	ErrKeyNotFound NotFound = "key not found"
	// ErrRoleNotFound is returned for a role that does not exist.
	ErrRoleNotFound NotFound = "role not found"
)

// The conflicts that more than one operation can meet.
const (
	ErrKeyEnded       Conflict = "the key has ended"
	ErrKeyNotActive   Conflict = "the key is not active"
	ErrRoleDisabled   Conflict = "the role is disabled"
	ErrRoleInUse      Conflict = "the role still has keys that have not ended; end them first, all at once with stop/roles"
	ErrNotNewest      Conflict = "this version of the key is superseded; use the newest version"
	ErrVersionOver    Conflict = "this version of the key is superseded and its grace is over; who may revoke by key_id can end the key"
	ErrVersionDiffers Conflict = "expected_version is not the key's highest version"
	ErrRotatedAlready Conflict = "the key was rotated by another request at the same time"
	ErrOwnerFull      Conflict = "the owner has as many keys as the role's max_keys_per_owner allows"
	ErrNoMoreRenewals Conflict = "the version has lived for as long as its role and the mount allow; rotate the key"
	ErrLastVersion    Conflict = "the key has reached its last version number; issue a new key"
)
