// Package clock tells a mount's time: the wall clock's, but never earlier than
// it was before.
//
// A clock that is set back must revive nothing that this process has seen end,
// so every decision of a mount goes by one Clock. It remembers nothing across a
// restart, and does not smooth a jump forward.
package clock

import (
	"sync/atomic"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
)

// Clock is safe for concurrent use. The zero Clock is ready.
type Clock struct {
	latest atomic.Int64
}

// Now is the present second, or the latest that was ever answered if that lies
// ahead.
func (c *Clock) Now() record.Time {
	now := time.Now().Unix()
	for {
		latest := c.latest.Load()
		if now <= latest {
			return record.Time(latest)
		}
		if c.latest.CompareAndSwap(latest, now) {
			return record.Time(now)
		}
	}
}
