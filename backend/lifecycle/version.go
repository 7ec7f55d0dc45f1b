package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// errNoLifetime is returned where a new version could not live for a second.
var errNoLifetime = errors.New("the lifetime of a new version is zero: the mount's lease settings cannot be read, or its parent has just ended")

// ErrRecipientsChanged is returned when a key's recipients changed between a look at
// it and the version that was to be sealed to them.
const ErrRecipientsChanged record.Conflict = "the key's recipients were changed at the same time; try again"

// version describes what was made, by the draft that it is committed under.
//
// A lifetime of nothing is refused before anything is written: a version that is
// born dead would end the key that it replaces. Vault's settings read as 0 when
// they cannot be asked for.
func (n made) version(d draft, now record.Time) (v record.Version, warnings []string, err error) {
	to, err := d.recipients()
	if err = cmp.Or(err, d.mayBelongTo(n.Asker)); err != nil {
		return v, nil, err
	}
	if !slices.Equal(to, n.recipients) {
		return v, nil, ErrRecipientsChanged
	}
	lifetime, capped := d.role.Lifetime(d.ttl, n.caps)
	if d.parentEnds != 0 && lifetime > d.parentEnds.Sub(now) {
		lifetime = d.parentEnds.Sub(now)
		capped = capped || d.ttl > lifetime
	}
	if lifetime < 1 {
		return v, nil, errNoLifetime
	}
	v = record.Version{
		Number:    n.text.Version,
		Hash:      n.phc,
		CreatedAt: now,
		ExpiresAt: now.Add(lifetime),
		Until:     now.Add(lifetime),
		Lifetime:  lifetime,
		Leased:    d.leased(),
		Request:   n.Request,

		Recipients: to,
	}
	if d.pending > 0 {
		v.PendingUntil = now.Add(d.pending)
		if v.PendingUntil > v.ExpiresAt {
			warnings = append(warnings, "the new version expires before its pending period is over: unless it is used before, it is cancelled")
		}
	}
	if v.Leased {
		v.Until = now.Add(d.role.MaxLifetime(n.caps))
		v.Holder = n.Holder
	}
	if capped {
		warnings = append(warnings, fmt.Sprintf("the ttl was shortened to %d seconds, the most that the role, the mount and, for a delegated key, its parent allow", lifetime))
	}
	return v, warnings, nil
}

// lateInSecond is how late in a second a leased version is not dated any more.
const lateInSecond = 900 * time.Millisecond

// awaitFreshSecond waits, for a tenth of a second at most, until the present
// second is young. Records count whole seconds, rounded down, while Vault dates
// a lease with the moment at which it gets our answer: dated at the end of a
// second, the two would end more than a second apart.
func awaitFreshSecond(ctx context.Context) {
	late := time.Duration(time.Now().Nanosecond())
	if late < lateInSecond {
		return
	}
	select {
	case <-time.After(time.Second - late):
	case <-ctx.Done():
	}
}
