package models

import (
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// turn is a version of the model of rotations, which was written without a look at how
// the engine does it. Times are seconds; 0 is never.
type turn struct {
	number                      int
	text                        string
	lease                       *logical.Secret
	created, expires            int64
	superseded, until           int64
	waits, activated, cancelled int64
	grace                       int64 // of the one before, from its first use on
	cut, gone                   bool  // whether its lease is cut; whether no hash of it is left
}

func (v *turn) pending() bool { return v.waits != 0 && v.activated == 0 && v.cancelled == 0 }

// turns are a key and its rotations.
type turns struct {
	m                          *mount.Mount
	id                         string
	disabled, revoked, deleted bool
	stopped                    bool    // with its owner or its role, of which its record knows nothing
	versions                   []*turn // oldest first, all that ever were
	children                   []*child
	told                       []string
}

// child is what somebody made who held the key.
type child struct {
	text    string
	expires int64
}

const turnTTL, turnMax = 20 * 3600, 40 * 3600

func (k *turns) now() int64 { return time.Now().Unix() }

func (k *turns) newest() *turn { return k.versions[len(k.versions)-1] }

// before is the one in effect, or the one that this replaced.
func (k *turns) before(number int) *turn {
	for _, v := range slices.Backward(k.versions) {
		if v.number < number && v.cancelled == 0 && !v.pending() {
			return v
		}
	}
	return nil
}

func (k *turns) current() *turn { return k.before(1 << 30) }

func (k *turns) activate(p *turn, at, grace int64) {
	old := k.current()
	p.activated = at
	old.superseded, old.until = at, min(at+grace, old.expires)
}

// settle is what time does. A stop keeps it from nothing.
func (k *turns) settle() {
	p, now := k.newest(), k.now()
	if k.revoked || !p.pending() {
		return
	}
	switch at := min(p.waits, k.current().expires); {
	case p.expires <= at && now >= p.expires:
		p.cancelled = p.expires
	case now >= at:
		k.activate(p, at, p.grace)
	}
}

func (k *turns) ended() bool { return k.revoked || k.stopped || k.now() >= k.current().expires }

// state is what is said of a version, but for brownouts.
func (k *turns) state(v *turn) string {
	now := k.now()
	switch {
	case v.gone || k.deleted:
		return "invalid"
	case k.revoked || k.stopped:
		return "revoked"
	case now >= k.current().expires:
		return "expired"
	case v.cancelled != 0, v.superseded != 0 && now >= v.until:
		return "superseded"
	case k.disabled:
		return "disabled"
	}
	return "valid"
}

// code is what verify says of it.
func (k *turns) code(v *turn) string {
	state, left, grace := k.state(v), v.until-k.now(), v.until-v.superseded
	if (state == "valid" || state == "disabled") && v.superseded != 0 && grace >= 4*3600 && left*4 <= grace && (left%3600 == 0 || left%3600 > 3300) {
		return "superseded" // in a brownout
	}
	return state
}

// status is what a read shows of it.
func (k *turns) status(v *turn) string {
	switch state := k.state(v); {
	case v.cancelled != 0:
		return "cancelled"
	case k.ended() && k.stopped, k.ended() && k.revoked:
		return "revoked" // also where its hash is gone
	case k.ended():
		return "expired"
	case v.pending():
		return "pending"
	case v.superseded != 0:
		return "superseded"
	case state == "valid":
		return "active"
	default:
		return state
	}
}

// of is what verify says of a child.
func (k *turns) of(c *child) string {
	switch {
	case k.stopped: // which is a stop of the child as well
		return "revoked"
	case k.now() >= c.expires:
		return "expired"
	case k.deleted || k.ended() || k.disabled:
		return "parent_ended"
	}
	return "valid"
}

// replace makes a version the highest. waits is 0 where it takes effect at once.
func (k *turns) replace(v *turn, grace, waits int64) {
	now := k.now()
	for _, o := range k.versions {
		switch {
		case o.pending():
			o.cancelled, o.gone = now, true
		case o.cancelled != 0:
			o.gone = true
		case o.superseded != 0:
			o.until = min(o.until, now)
		}
	}
	if waits > 0 {
		v.waits, v.grace = now+waits, grace
	} else {
		old := k.current()
		old.superseded, old.until = now, min(now+grace, old.expires)
	}
	k.versions = append(k.versions, v)
	kept, cancelled := 0, 0
	for _, o := range slices.Backward(k.versions) {
		of := &kept
		if o.cancelled != 0 {
			of = &cancelled
		}
		*of++
		o.gone = o.gone || *of > 8
	}
}
