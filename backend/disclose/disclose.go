package disclose

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/verify"
)

// Clock tells the mount's time, and how long it takes to a moment of it.
type Clock interface {
	Now() record.Time
	Until(record.Time) time.Duration
}

// Feed tells where it stands.
type Feed interface {
	// Cursor is the newest place: what is read after it was asked for is no older.
	Cursor() string
}

// Keys are where records are found that nobody may decide by.
type Keys interface {
	// GlanceKey pushes nothing out that is in use.
	GlanceKey(ctx context.Context, id string) (record.Key, bool, error)
}

// Records are those of one mount, as gates are told them. It is safe for concurrent use.
// All fields are required.
type Records struct {
	Prover verify.Prover
	// Refused is told of each text that is no key, before the answer leaves. Like a
	// verify.Observer it does not block.
	Refused  func(*verify.Observation)
	Resolver lineage.Resolver
	Keys     Keys
	Feed     Feed
	Clock    Clock
	// Writable tells whether this node may write.
	Writable func() bool

	answering atomic.Int64 // bytes of the answers that are being made
}

// workTime bounds how long one call works. Who asks has given up by then, and a call
// holds up Vault's seal and step-down for as long.
const workTime = 5 * time.Second

// ErrNoTime is returned where that was not enough.
const ErrNoTime record.Busy = "busy: there was no time for this; ask again"

// now is the mount's time, in milliseconds since 1970.
func (r *Records) now() int64 { return (-r.Clock.Until(0)).Milliseconds() }

// work begins a call, on the node that may answer it.
func (r *Records) work(ctx context.Context) (limited context.Context, end func(), err error) {
	if !r.Writable() {
		return nil, nil, record.ErrElsewhere
	}
	limited, end = context.WithTimeout(ctx, workTime)
	return limited, end, nil
}

// timely does something while there is time. Storage between processes has errors of its
// own for what was not done in time.
func timely(limited context.Context, do func() error) error {
	err := limited.Err()
	if err == nil {
		err = do()
	}
	if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return ErrNoTime
	}
	return err
}
