package edge

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

const (
	reportEvery = 10 * time.Second
	// reportAgain is after how long a first use that the engine was not told of yet is told
	// again.
	reportAgain = time.Second
	reportTime  = 5 * time.Second
)

// Run reports every 10 s, and the first use of a version that waits for it at once, until
// ctx ends.
func (u *Uses) Run(ctx context.Context) {
	var said int64
	for wait := reportEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-u.urgent:
			wait = reportAgain
		case <-time.After(wait):
		}
		if u.Flush(ctx) == nil {
			wait = reportEvery
		} else { // it may be of another role, and for good
			wait = min(2*wait, reportEvery)
		}
		if dropped := u.Dropped(); dropped > said {
			u.logger.Error("uses of keys were not counted", "decisions", dropped-said)
			said = dropped
		}
	}
}

// Flush reports all that was gathered. What could not be told stays.
func (u *Uses) Flush(ctx context.Context) (failed error) {
	u.reporting.Lock()
	defer u.reporting.Unlock()
	u.mu.Lock()
	roles := slices.Sorted(maps.Keys(u.roles))
	u.mu.Unlock()
	for _, role := range roles {
		if err := u.flush(ctx, role); err != nil {
			u.logger.Warn("uses of keys are not all reported yet", "role", role, "error", err)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (u *Uses) flush(ctx context.Context, role string) error {
	for {
		told := u.next(role)
		if told == nil {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, reportTime)
		err := u.up.Report(limited, role, *told)
		cancel()
		if err != nil && !hopeless(err) {
			return err
		}
		u.done(role, told, err != nil)
	}
}

// next is the report to tell next: the one that may have arrived, or a new one.
func (u *Uses) next(role string) *wire.Report {
	u.mu.Lock()
	defer u.mu.Unlock()
	g := u.roles[role]
	switch {
	case g == nil: // it had nothing to tell
		return nil
	case g.told != nil:
		return g.told
	case len(g.uses) == 0:
		return nil
	}
	g.sequence++
	g.told = &wire.Report{Gate: u.gate, Run: g.run, Sequence: g.sequence}
	for of, counted := range g.uses {
		if len(g.told.Uses) == wire.MaxNames {
			break
		}
		if counted.client.IsValid() {
			counted.ClientIP = counted.client.String()
		}
		g.told.Uses = append(g.told.Uses, counted.Use)
		delete(g.uses, of)
	}
	if len(g.uses) == 0 {
		g.uses = make(map[use]*tally) // a map keeps the room of all that it ever had
	}
	return g.told
}

func (u *Uses) done(role string, told *wire.Report, lost bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.roles[role].told = nil
	u.uses -= len(told.Uses)
	if lost {
		for _, of := range told.Uses {
			u.dropped += of.Count
		}
	}
}

// hopeless tells whether an answer will be the same another time. What the gate's token
// may not do it may do later.
func hopeless(err error) bool {
	var told interface{ HTTPStatus() int }
	if !errors.As(err, &told) {
		return false
	}
	switch told.HTTPStatus() {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		return true
	}
	return false
}
