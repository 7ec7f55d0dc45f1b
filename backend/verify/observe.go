package verify

import (
	"net/netip"
	"time"

	"vault-plugin-secrets-apikeys/backend/apikey"
	"vault-plugin-secrets-apikeys/backend/lineage"
	"vault-plugin-secrets-apikeys/backend/record"
)

// Observer is told of every decision, once, before its answer leaves. Whatever
// follows from a decision hangs here: nothing else hooks into this package.
//
// It is told before the answer leaves, on the way of every request and by many at
// once. So it does not block, but for a bounded time where what it knows would be
// lost with a process that is about to end. It cannot fail, and undoes nothing: the
// limits are spent. It changes nothing that it is given, and how long it takes must
// not tell why an invalid key is invalid.
type Observer interface {
	Observe(o Observation)
}

// Observation is a decision, with what its answer must not show.
type Observation struct {
	Decision Decision
	Failure  Failure // why the text is not proven
	// Honeytoken is the name of the planted key that the text is.
	Honeytoken string
	Text       apikey.Key // proven where the decision is; the zero Key of a malformed text
	// Lineage is what the state was decided by, of a proven key only.
	Lineage  lineage.Lineage
	At       record.Time // when that was
	Role     string      // that was asked for, if one was
	ClientIP netip.Addr  // the zero Addr when the gateway did not say
	Cost     int64
	Hashed   bool          // Argon2 ran for it, or it waited for one that did
	Took     time.Duration // to decide
	// Reported is of what a gate decided, and told of later; nil of what was decided here.
	Reported *Reported
}

// Reported is what an observation by report has beyond others.
type Reported struct {
	Like int64 // how many more decisions it stands for, which were all alike
	// Late tells that the key has ended since, so that nothing of this is a use that could
	// keep it from that.
	Late bool
	More bool // another of the same report follows at once
}

// Count is how many decisions the observation stands for.
func (o *Observation) Count() int64 {
	if o.Reported == nil {
		return 1
	}
	return 1 + o.Reported.Like
}

// Late tells whether a use is told of a key that has ended since.
func (o *Observation) Late() bool { return o.Reported != nil && o.Reported.Late }
