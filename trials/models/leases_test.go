package models

import (
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

func (r *run) renew() {
	if len(r.leases) == 0 {
		return
	}
	l := r.leases[max(0, len(r.leases)-1-r.rand.IntN(8))]
	v, k, now := l.version, l.version.key, r.now()
	asked := r.seconds(0, 0, 1, 600, 40*day)
	a := r.seenAfter("renew", func() mount.Answer { return r.m.Renew(l.secret, time.Duration(asked)*time.Second) })
	state := r.model.state(v, now)
	works := r.model.keys[k.id] == k && versionOf(k, v) && (state == "valid" || state == "disabled")
	end := v.until
	switch {
	case !works:
	case v == k.newest():
		length := asked
		if asked == 0 {
			length = v.lifetime
		}
		end = min(now+length, v.created+r.model.role(k).maximum())
		works = end > now
	case asked > 0:
		end = min(end, now+asked)
	}
	if works != a.OK() {
		r.m.T.Fatalf("renewal of a version that is %s: %d %s, want success %t", state, a.Status, a.Text, works)
	}
	if !works {
		return
	}
	if v == k.newest() {
		v.expires = end
	} else {
		v.until, v.expires = end, min(v.expires, end)
	}
	if a.Secret.Renewable != (v == k.newest()) {
		r.m.T.Fatalf("renewable=%t", a.Secret.Renewable)
	}
	l.secret.TTL, l.secret.MaxTTL = a.Secret.TTL, a.Secret.MaxTTL
	r.leaseEnds(l, a.Secret, asked)
	r.sameAsRead(k)
}

// leaseEnds computes as core does when the lease ends, which must be when the
// record says.
func (r *run) leaseEnds(l *modelLease, granted *logical.Secret, asked int64) {
	ttl, _, err := framework.CalculateTTL(r.m.System, time.Duration(asked)*time.Second, granted.TTL, 0, granted.MaxTTL, 0, l.secret.IssueTime)
	if err != nil {
		r.m.T.Fatal(err)
	}
	l.expires = time.Now().Add(ttl)
	end := l.version.expires
	if l.version.until != 0 {
		end = l.version.until
	}
	if late := l.expires.Sub(time.Unix(end, 0)); late < 0 || late > time.Second {
		r.m.T.Fatalf("the lease ends %v after the record", late)
	}
}

// endLease ends a lease before its time, or one whose time has come.
func (r *run) endLease() {
	if len(r.leases) == 0 {
		return
	}
	l := r.leases[r.rand.IntN(len(r.leases))]
	for _, other := range r.leases {
		if other.expires.Unix() <= r.now() && r.chance(2) {
			l = other
			break
		}
	}
	v, k, now := l.version, l.version.key, r.now()
	a := r.seenAfter("the end of a lease", func() mount.Answer { return r.m.EndLease(l.secret) })
	r.expect(http.StatusNoContent, a)
	if r.model.keys[k.id] != k || !versionOf(k, v) || k.ended(now) != 0 {
		return
	}
	switch {
	case v == k.newest():
		k.revoked, k.reason = now, "the lease of its current version was ended"
	default: // it expires as well, also where its grace is over
		v.until, v.expires = min(v.until, now), min(v.expires, now)
	}
	r.sameAsRead(k)
}
