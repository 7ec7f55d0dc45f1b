// Package spend keeps the limits and the uses of keys that gates decide about: it lends
// them units of quotas, and counts what they report.
//
// A gate is trusted as far as its token reaches, which is the keys of a role: it can use
// up their quotas, and tell of uses that were none. It cannot count for keys that there
// are not, or of another role; move a time ahead; give back what it was not lent; bring
// back what has ended; or fill the memory.
package spend

import (
	"context"
	"sync"
	"time"

	"vault-plugin-secrets-apikeys/backend/limit"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Lender lends units of quotas.
type Lender interface {
	Lend(ctx context.Context, line limit.Line, need, units int64, now record.Time) (limit.Loan, error)
	TakeBack(ctx context.Context, id string, name, units int64, now record.Time) error
}

// Clock tells the mount's time, and how long it takes to a moment of it.
type Clock interface {
	Now() record.Time
	Until(record.Time) time.Duration
}

// Book keeps limits and uses for one mount. All fields are required.
type Book struct {
	Resolver lineage.Resolver
	Lender   Lender
	Observer verify.Observer
	Clock    Clock
	// Writable tells whether this node may write: only that one lends and counts.
	Writable func() bool

	mu   sync.Mutex
	runs runs
}

// now is the clock in milliseconds since 1970.
func (b *Book) now() int64 {
	next := b.Clock.Now().Add(1)
	return int64(next)*1000 - b.Clock.Until(next).Milliseconds()
}

// find is the lineage of a key of a role; there is none where the key is of another. What
// has ended of it is noted: whoever hears of that is not told otherwise later.
func (b *Book) find(ctx context.Context, role, id string) (l lineage.Lineage, found bool, err error) {
	k, found, err := b.Resolver.Reader.Key(ctx, id)
	if err != nil || !found || k.Role != role {
		return l, false, err
	}
	l, err = b.Resolver.Lineage(ctx, k)
	return l, err == nil, err
}
