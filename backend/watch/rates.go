package watch

import (
	"maps"
	"math"

	"vault-plugin-secrets-apikeys/backend/record"
)

// maxRates bounds of how many keys refusals are counted: 65,536, which is 8 MiB. Of
// more at a time nobody is alerted.
const maxRates = 65536

// rates are what may raise alerts, within an hour. They are in memory
// only: a new process counts anew.
type rates struct {
	warning, critical int64
	forged            rate
	refusals          map[string]*rate // by key id
	swept             record.Time
}

// rate counts within an hour, to five minutes.
type rate struct {
	last   record.Time // slot that was counted in, from the beginning of time
	counts [slots]int32
}

const (
	slots      = 12
	slotLength = record.Time(record.Hour / slots)
)

// add counts more, and answers how many there were within an hour, and since when.
func (r *rate) add(more int64, now record.Time) (n int64, since record.Time) {
	slot := now / slotLength
	if r.over(now) {
		*r = rate{last: slot}
	}
	for ; r.last < slot; r.last++ {
		r.counts[(r.last+1)%slots] = 0
	}
	at := &r.counts[slot%slots]
	*at = int32(min(int64(*at)+more, math.MaxInt32))
	since = now
	for past := slot; past > slot-slots; past-- {
		if count := r.counts[past%slots]; count > 0 {
			n += int64(count)
			since = min(since, past*slotLength)
		}
	}
	return n, since
}

// over tells whether nothing of a rate counts any more.
func (r *rate) over(now record.Time) bool {
	slot := now / slotLength
	return slot < r.last || slot >= r.last+slots
}

// of is the rate of a key's refusals, nil where there are too many keys.
func (rs *rates) of(id string, now record.Time) *rate {
	if r := rs.refusals[id]; r != nil {
		return r
	}
	if len(rs.refusals) >= maxRates && now != rs.swept { // which takes a millisecond
		rs.swept = now
		maps.DeleteFunc(rs.refusals, func(_ string, r *rate) bool { return r.over(now) })
	}
	if len(rs.refusals) >= maxRates {
		return nil
	}
	if rs.refusals == nil {
		rs.refusals = make(map[string]*rate)
	}
	rs.refusals[id] = new(rate)
	return rs.refusals[id]
}

// reset begins anew for what an alert is about.
func (rs *rates) reset(a *record.Alert) {
	switch a.Kind {
	case record.ForgedKeys:
		rs.forged = rate{}
	case record.KeyRefusals:
		delete(rs.refusals, a.KeyID)
	}
}
