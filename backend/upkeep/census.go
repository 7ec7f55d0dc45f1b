package upkeep

import (
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// census is what a walk over all keys found. Only tidy walks, so who looks on costs
// nothing, however often: the figures are those of its last walk that came to the end.
type census struct {
	at         record.Time // when the walk ended; 0 before the first
	roles      map[string]*headcount
	unreadable int // records that were passed over
}

// headcount is what lives of one role.
type headcount struct{ keys, due, pending int }

func newCensus(roles []string) census {
	c := census{roles: make(map[string]*headcount, len(roles))}
	for _, name := range roles {
		c.roles[name] = new(headcount)
	}
	return c
}

// saw counts a key that lives.
func (c *census) saw(l *lineage.Lineage, now record.Time) {
	k := &l.Key
	of := c.roles[k.Role]
	if of == nil || k.Ended(l.Standing, now) {
		return
	}
	of.keys++
	if due := k.RotateBy(k.Current(), l.Standing, now); due != 0 && now >= due {
		of.due++
	}
	if k.Pending() != nil {
		of.pending++
	}
}

func (c *census) measure(tell func(figure string, value float64, labels ...string)) {
	if c.at == 0 {
		return
	}
	tell("keys_counted_timestamp_seconds", float64(c.at))
	tell("keys_unreadable", float64(c.unreadable))
	for role, of := range c.roles {
		tell("keys", float64(of.keys), role)
		tell("keys_rotation_due", float64(of.due), role)
		tell("versions_pending", float64(of.pending), role)
	}
}
