package spend

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/network"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/store"
	"vault-plugin-secrets-apikeys/backend/verify"
	"vault-plugin-secrets-apikeys/backend/wire"
)

const (
	// maxCount bounds how many decisions one use stands for.
	maxCount = 1 << 40
	// maxLate is how long ago a use can have been: a gate reports all that it decided while
	// it was cut off, which is a day at most.
	maxLate = 2 * record.Day
)

// Report counts what a gate decided of the keys of a role, by the observers of what is
// decided here. All of it is looked up before any of it is counted: a report that fails
// is to be told again.
func (b *Book) Report(ctx context.Context, role string, r wire.Report) (answer wire.Reported, err error) {
	if !b.Writable() {
		return answer, record.ErrElsewhere
	}
	answer.Now = b.now()
	if b.told(r, false) {
		answer.Repeated = true
		return answer, nil
	}
	observed := make([]verify.Observation, 0, len(r.Uses))
	for _, u := range r.Uses {
		o, good, err := b.observation(ctx, role, u)
		if err != nil {
			return wire.Reported{}, err
		}
		if !good {
			answer.Dropped++
			continue
		}
		observed = append(observed, o)
		answer.Counted += o.Count()
	}
	if b.told(r, true) { // and is being counted by another call
		return wire.Reported{Repeated: true, Now: answer.Now}, nil
	}
	for i, o := range observed {
		o.Reported.More = i < len(observed)-1
		b.Observer.Observe(o)
	}
	return answer, nil
}

func (b *Book) told(r wire.Report, note bool) (before bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.runs.told(r.Run, r.Sequence, note)
}

// observation is what a use comes to by the key as it is now. There is none of what names
// no version of a key of this role, or no code.
func (b *Book) observation(ctx context.Context, role string, u wire.Use) (o verify.Observation, good bool, err error) {
	code, now := verify.Code(u.Code), b.Clock.Now()
	if u.Count < 1 || !slices.Contains(verify.Codes(), code) || (u.KeyID == "") != (code == verify.Invalid) {
		return o, false, nil
	}
	o = verify.Observation{
		Decision: verify.Decision{Code: code},
		At:       min(max(u.At, now.Add(-maxLate)), now),
		Role:     role,
		Reported: &verify.Reported{Like: min(u.Count, maxCount) - 1},
	}
	if code == verify.Invalid {
		return o, true, nil
	}
	if !apikey.ValidID(u.KeyID) {
		return o, false, nil
	}
	l, found, err := b.find(ctx, role, u.KeyID)
	if errors.Is(err, store.ErrUnreadable) {
		// It will be as unreadable the next time, and a gate tells a report that failed again
		// and again, before any other of its role: the uses of all its other keys would be lost.
		return o, false, nil
	}
	if err != nil || !found {
		return o, false, err
	}
	version := l.Key.Find(u.Version)
	if version == nil {
		return o, false, nil
	}
	o.Decision.Description = verify.Description{Key: l.Key, Version: *version}
	o.Text, o.Lineage, o.ClientIP = apikey.Key{ID: l.Key.ID, Version: u.Version}, l, address(u.ClientIP)
	o.At = min(max(o.At, version.CreatedAt), now)
	o.Reported.Late = l.Key.Ended(l.Standing, now)
	if u.Paid {
		o.Cost = 1
	}
	if u.Brownout {
		o.Decision.RetryAfter = 1
	}
	return o, true, nil
}

// address is one that may not have been known.
func address(text string) netip.Addr {
	addr, err := network.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// maxRuns bounds of how many runs the last report is remembered. A gate has one.
const maxRuns = 4096

// runs are the last reports of the latest runs. They are in memory only: after a
// failover the last report of each may be counted twice.
type runs struct {
	last  map[string]seen
	clock int64
}

type seen struct{ sequence, at int64 }

// told tells whether a report was told before, and takes it down where it was not.
func (r *runs) told(run string, sequence int64, note bool) bool {
	if before, known := r.last[run]; known && sequence <= before.sequence {
		return true
	}
	if !note {
		return false
	}
	if r.last == nil {
		r.last = make(map[string]seen)
	}
	if _, known := r.last[run]; !known && len(r.last) >= maxRuns {
		r.dropOldest()
	}
	r.clock++
	r.last[run] = seen{sequence, r.clock}
	return false
}

// dropOldest drops the run that reported the longest ago, which takes some microseconds
// and is done for a new one only.
func (r *runs) dropOldest() {
	oldest, at := "", int64(0)
	for run, s := range r.last {
		if at == 0 || s.at < at {
			oldest, at = run, s.at
		}
	}
	delete(r.last, oldest)
}
