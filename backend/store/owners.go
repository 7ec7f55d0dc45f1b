package store

import (
	"context"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Owner is the record of this owner. One without was never stopped, like the zero
// Owner.
func (s *Store) Owner(ctx context.Context, name string) (record.Owner, bool, error) {
	return s.owners.get(ctx, name)
}

// Owners are the names of all owners that have or had keys, or were stopped, in
// byte order.
func (s *Store) Owners(ctx context.Context) ([]string, error) { return s.names(ctx, ownerFolder) }

// HoldOwner is for those who make keys of the owner: until release, tidy does not
// take it for one without keys. exclusive keeps others out who make keys, as counting
// them needs. It keeps nobody from stopping the owner. No owner needs no hold.
func (s *Store) HoldOwner(name string, exclusive bool) (release func()) {
	switch {
	case name == "":
		return func() {}
	case exclusive:
		return s.ownerHolds.hold(name, alone)
	default:
		return s.ownerHolds.hold(name, shared)
	}
}

// StopOwner raises the owner's generation, with one write: everything issued to
// it so far is revoked. An owner without keys is stopped all the same, and one
// whose entry cannot be read: an emergency has no time for repairs, and a
// generation above any that was reached ends what the lost one would have.
func (s *Store) StopOwner(ctx context.Context, name, reason string, now record.Time, request string) (record.Owner, error) {
	lost := func() record.Owner { return record.Owner{Stop: record.AfterLoss(now)} }
	return s.owners.update(ctx, name, writing[record.Owner]{hold: urgent, lost: lost}, func(o record.Owner, _ bool) (record.Owner, error) {
		o.Raise(reason, now, request)
		return o, nil
	})
}

// ensureOwner makes the owner's record with its first key, so that owners can be
// listed without passing over their keys.
func (s *Store) ensureOwner(ctx context.Context, name string) error {
	_, found, err := s.owners.get(ctx, name)
	if err != nil || found {
		return err
	}
	_, err = s.owners.update(ctx, name, writing[record.Owner]{hold: alone, quiet: true}, func(o record.Owner, found bool) (record.Owner, error) {
		if found {
			return o, record.ErrUnchanged
		}
		return o, nil
	})
	return err
}
