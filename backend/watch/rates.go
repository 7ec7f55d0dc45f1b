package watch

import (
	"maps"

	"vault-plugin-secrets-apikeys/backend/record"
)

// maxRates bounds of how many keys refusals are counted: 65,536, which is some MiB. Of
// more at a time nobody is alerted.
const maxRates = 65536

// rates are what may raise alerts, in this hour and the one before. They are in memory
// only: a new process counts anew.
type rates struct {
	warning, critical int64
	forged            rate
	refusals          map[string]*rate // by key id
	swept             record.Time
}

// rate counts in an hour that begins with the first, and knows the one before.
type rate struct {
	since         record.Time
	before, count int64
}

// add counts one more, and answers how many there were within an hour, and since when
// they are counted. Those of the hour before are taken to have come evenly, and count
// as far as that hour is not over an hour ago.
func (r *rate) add(now record.Time) (n int64, since record.Time) {
	switch age := now.Sub(r.since); {
	case r.over(now):
		*r = rate{since: now}
	case age >= record.Hour:
		*r = rate{since: r.since.Add(record.Hour), before: r.count}
	}
	r.count++
	left := int64(record.Hour - now.Sub(r.since))
	n = r.count + r.before*left/int64(record.Hour)
	if since = r.since; r.before > 0 {
		since = since.Add(-record.Hour)
	}
	return n, since
}

// over tells whether nothing of a rate counts any more.
func (r *rate) over(now record.Time) bool {
	age := now.Sub(r.since)
	return age < 0 || age >= 2*record.Hour
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
