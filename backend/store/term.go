package store

import (
	"context"
	"errors"
	"fmt"

	"vault-plugin-secrets-apikeys/backend/record"
)

// feedTerm is the term of the last process that told gates of changes. By the suffix a
// process knows its own entry from that of another with the same number.
type feedTerm struct {
	Number uint64 `json:"number"`
	Suffix string `json:"suffix"`
}

// Intact tells whether t's number is one that processes can have come to.
func (t feedTerm) Intact() bool { return 0 < t.Number && t.Number < 1<<62 }

// NextTerm takes down a term for this process, under this suffix: above all that
// storage knows of, and no less than the seconds of now.
//
// A gate listens to no lower term than it has heard: that keeps a node that was
// deposed from leading it back. But a restored snapshot brings an old number back, and
// so it is by the time that a new process is above what gates have heard. The same
// goes for an entry that cannot be read. A clock alone would not do: it may be behind.
func (s *Store) NextTerm(ctx context.Context, now record.Time, suffix string) (uint64, error) {
	last, _, err := read[feedTerm](ctx, s.storage, feedTermPath)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return 0, err
	}
	next := feedTerm{max(last.Number+1, uint64(max(now, 0))), suffix}
	return next.Number, write(ctx, s.storage, feedTermPath, next)
}

// errSucceeded is returned where another process has taken down its term after this one.
var errSucceeded = errors.New("a later process tells gates of changes")

// HoldTerm writes the term of this process again, which says that a write that began now
// has succeeded, and so that no other node had taken over before.
//
// A write that failed is not looked for: storage held the same before, and would seem to
// hold it by the memory of a node that was deposed.
//
// Where storage lets a deposed node write, as some do that are none of Vault's own, what
// it reads tells of its successor.
func (s *Store) HoldTerm(ctx context.Context, number uint64, suffix string) error {
	last, _, err := read[feedTerm](ctx, s.storage, feedTermPath)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	mine := feedTerm{number, suffix}
	if last.Number > number || last.Number == number && last != mine {
		return errSucceeded
	}
	entry, err := encode(feedTermPath, mine)
	if err == nil {
		err = s.storage.Put(ctx, entry)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", feedTermPath, err)
	}
	return nil
}
