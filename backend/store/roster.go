package store

import (
	"context"
	"errors"
	"slices"

	"vault-plugin-secrets-apikeys/backend/record"
)

// roster is the keys of one owner that count against a role's max_keys_per_owner.
// It may name keys that have ended, and never lacks one that lives: a key is
// entered before its record is written, and leaves when its record says that it
// has ended. So counting reads one entry, and where that is full as many records
// as the role allows; how many keys have ended does not matter.
type roster struct {
	// Count is which count of its role the roster belongs to. Under no limit
	// nothing is entered, so a limit that is set again begins another count.
	Count string   `json:"count"`
	Keys  []string `json:"keys"`
	// Struck is the latest time by which keys were struck off. Where that lies ahead
	// the clock was wrong, and they may live again.
	Struck record.Time `json:"struck"`
	// More tells that there were more keys than any limit can be when the roster
	// was begun, of which these are some.
	More bool `json:"more"`
}

// Judge settles a key, and finds what its state depends on.
type Judge func(*record.Key) (record.Standing, error)

// Enrol enters a key that is about to be made in its owner's roster, or answers
// record.ErrOwnerFull. The caller holds the owner exclusively until the key is
// made.
func (s *Store) Enrol(ctx context.Context, k record.Key, role record.Role, now record.Time, judge Judge) error {
	path := rosterPath(k.Owner, k.Role)
	r, _, err := read[roster](ctx, s.storage, path)
	if err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	named := len(r.Keys)
	begun, live := err == nil && r.Count == role.Count() && now >= r.Struck, named
	if begun && live >= role.MaxKeysPerOwner {
		if live, err = s.strikeOff(ctx, &r, role.MaxKeysPerOwner, now, judge); err != nil {
			return err
		}
		// A key beyond those that are named may be in the place of one that has
		// ended: only a new roster can tell.
		begun = !r.More || live >= role.MaxKeysPerOwner
	}
	if !begun {
		if r, live, err = s.begin(ctx, k, now, judge); err != nil {
			return err
		}
		r.Count, r.Struck = role.Count(), now
	}
	full := live >= role.MaxKeysPerOwner
	if full && begun && len(r.Keys) == named {
		return record.ErrOwnerFull // nothing was struck off, so a refusal that is repeated writes nothing
	}
	if !full && !slices.Contains(r.Keys, k.ID) { // a try that was undone may have entered it
		r.Keys = append(r.Keys, k.ID)
	}
	if err := write(ctx, s.storage, path, r); err != nil {
		return err
	}
	if full {
		return record.ErrOwnerFull
	}
	return nil
}

// strikeOff takes keys off the roster that have ended, until enough are found that
// live, and answers how many do.
func (s *Store) strikeOff(ctx context.Context, r *roster, enough int, now record.Time, judge Judge) (live int, err error) {
	kept := r.Keys[:0]
	for i, id := range r.Keys {
		lives, stays, err := s.counts(ctx, id, now, judge)
		if err != nil {
			return live, err
		}
		if stays {
			kept = append(kept, id)
		}
		if lives {
			live++
		}
		if live == enough {
			kept = append(kept, r.Keys[i+1:]...)
			break
		}
	}
	if len(kept) < len(r.Keys) {
		r.Keys, r.Struck = kept, now
	}
	return live, nil
}

// begin makes the roster of a new key's owner from its hints. It happens once in
// a count, and again only where there are more keys than any limit allows.
func (s *Store) begin(ctx context.Context, k record.Key, now record.Time, judge Judge) (r roster, live int, err error) {
	err = s.eachHinted(ctx, ownerKeys+k.Owner+"/", k.Role, now, func(id string) (more bool, err error) {
		lives, stays, err := s.counts(ctx, id, now, judge)
		if err != nil || !stays {
			return true, err
		}
		if len(r.Keys) == record.MaxKeysPerOwner {
			r.More = true
			return false, nil
		}
		r.Keys = append(r.Keys, id)
		if lives {
			live++
		}
		return true, nil
	})
	return r, live, err
}

// counts tells whether a key lives, and whether it stays on the roster: one that
// nobody used stays until that is written down, since until then a change of the
// role can undo it. Where its record, or what its state depends on, cannot be read
// it counts as one that lives: nobody can tell.
func (s *Store) counts(ctx context.Context, id string, now record.Time, judge Judge) (lives, stays bool, err error) {
	k, found, err := s.keys.peek(ctx, id)
	if errors.Is(err, ErrUnreadable) {
		return true, true, nil
	}
	if err != nil || !found {
		return false, false, err
	}
	standing, err := judge(&k)
	if errors.Is(err, ErrUnreadable) {
		return true, true, nil
	}
	return !k.Ended(standing, now), k.EndedAt(standing, now) == 0, err
}

// sweepRosters removes an owner's rosters of counts that are over, and all of one
// without keys, whom the caller holds.
func (s *Store) sweepRosters(ctx context.Context, owner string, hasKeys bool) error {
	roles, err := s.names(ctx, rosterFolder+owner+"/")
	if err != nil || len(roles) == 0 {
		return err
	}
	if hasKeys {
		defer s.HoldOwner(owner, true)()
	}
	for _, role := range roles {
		if hasKeys {
			if stays, err := s.counting(ctx, owner, role); err != nil {
				return err
			} else if stays {
				continue
			}
		}
		if err := remove(ctx, s.storage, rosterPath(owner, role)); err != nil {
			return err
		}
	}
	return nil
}

// counting tells whether a role counts an owner's keys by their roster, or may.
func (s *Store) counting(ctx context.Context, owner, name string) (bool, error) {
	role, found, err := s.roles.get(ctx, name)
	if err != nil {
		return true, record.Except(err, ErrUnreadable)
	}
	r, _, err := read[roster](ctx, s.storage, rosterPath(owner, name))
	return err == nil && found && role.MaxKeysPerOwner > 0 && r.Count == role.Count(), record.Except(err, ErrUnreadable)
}

func rosterPath(owner, role string) string { return rosterFolder + owner + "/" + role }
