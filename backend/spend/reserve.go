package spend

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

const (
	// lenders is how many blocks of one call are reserved at a time: raft takes them
	// together.
	lenders = 32
	// reserveTime bounds how long a call works. What it did not come to is to be asked for
	// again.
	reserveTime = 5 * time.Second
)

// errLate is returned for what a call did not come to.
const errLate record.Busy = "busy: the call took too long; ask for this key again"

// errFault is returned for what a fault ended.
var errFault = errors.New("a fault in the plugin ended the reservation of a quota")

// Granted is what came of one item of a reservation, or why nothing did.
type Granted struct {
	wire.Grant
	Err error
}

// Reserve lends units of the quotas of a role's keys, and takes units back. Of a call that
// is run twice each block is reserved twice, and given back once.
func (b *Book) Reserve(ctx context.Context, role string, want []wire.Want) (granted []Granted, now int64, err error) {
	if !b.Writable() {
		return nil, 0, record.ErrElsewhere
	}
	limited, cancel := context.WithTimeout(ctx, reserveTime)
	defer cancel()
	granted = make([]Granted, len(want))
	var group errgroup.Group
	group.SetLimit(lenders)
	for i, w := range want {
		group.Go(func() error {
			granted[i] = b.grant(limited, role, w)
			return nil
		})
	}
	_ = group.Wait() // each item has its own error
	return granted, b.now(), ctx.Err()
}

func (b *Book) grant(ctx context.Context, role string, w wire.Want) (g Granted) {
	defer func() {
		if recover() != nil { // in a goroutine nothing else would
			g = Granted{Err: errFault}
		}
	}()
	if !apikey.ValidID(w.KeyID) {
		return Granted{Grant: wire.Grant{Code: wire.CodeInvalid}}
	}
	grant, err := b.lend(ctx, role, w)
	if err != nil && ctx.Err() != nil {
		err = errLate // storage between processes has errors of its own for this
	}
	return Granted{grant, err}
}

func (b *Book) lend(ctx context.Context, role string, w wire.Want) (wire.Grant, error) {
	if ctx.Err() != nil {
		return wire.Grant{}, ctx.Err()
	}
	l, found, err := b.find(ctx, role, w.KeyID)
	if err != nil || !found {
		return wire.Grant{Code: wire.CodeInvalid}, err
	}
	now := b.Clock.Now()
	if w.GiveBack > 0 { // whatever has become of the key: another quota may count it
		if err := b.Lender.TakeBack(ctx, w.KeyID, w.Window, w.GiveBack, now); err != nil {
			return wire.Grant{}, err
		}
		if w.Need == 0 && w.Units == 0 {
			return wire.Grant{}, nil
		}
	}
	line := limit.Line{ID: l.Key.ID, Created: l.Key.CreatedAt, Limits: l.Limits()}
	switch state := l.State(now); {
	case state != record.Active:
		return wire.Grant{Code: string(state)}, nil
	case line.Limits.Quota == 0:
		return wire.Grant{Code: wire.CodeUnlimited}, nil
	}
	loan, err := b.Lender.Lend(ctx, line, w.Need, w.Units, now)
	if err != nil {
		return wire.Grant{}, err
	}
	return wire.Grant{Granted: loan.Granted, Window: loan.Name, WindowEnds: loan.Ends, Remaining: loan.Remaining}, nil
}
