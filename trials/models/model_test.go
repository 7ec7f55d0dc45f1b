// Package models plays at random beside models of the engine that were written without a look at it.
package models

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// The model is what the contract says about keys, written down a second time and
// as simply as possible. Times are seconds since the epoch.
type model struct {
	roles map[string]*modelRole
	keys  map[string]*modelKey
	named map[string]*modelKey // whom a static name was given last, as long as its record is there
	uids  int
}

type modelRole struct {
	uid                          int
	leased, disabled             bool
	ttl, maxTTL, grace, maxGrace int64
	allowed, defaults            []string
	network                      string
}

type modelKey struct {
	id, role, owner, name, network string
	static                         string
	uid                            int
	scopes                         []string
	ttl                            int64
	disabled, sealed               bool
	created, revoked               int64
	reason                         string
	versions                       []*modelVersion // newest first
}

type modelVersion struct {
	key                        *modelKey
	text                       string
	number                     int
	created, expires, lifetime int64
	superseded, until          int64 // 0 for the newest
	used                       int64 // as valid, 0 if it never was
	forgotten                  bool
	lease                      *modelLease
}

// modelLease is what Vault keeps of a lease.
type modelLease struct {
	version *modelVersion
	secret  *logical.Secret
	expires time.Time
}

const (
	retention  = 72 * 3600
	defaultTTL = int64(mount.DefaultTTL / time.Second)
	maximumTTL = int64(mount.MaxTTL / time.Second)
)

func (r *modelRole) maximum() int64 {
	if r.maxTTL > 0 {
		return min(r.maxTTL, maximumTTL)
	}
	return maximumTTL
}

func (r *modelRole) lifetime(asked int64) int64 {
	for _, ttl := range []int64{asked, r.ttl, defaultTTL} {
		if ttl > 0 {
			return min(ttl, r.maximum())
		}
	}
	panic("unreachable")
}

func (k *modelKey) newest() *modelVersion { return k.versions[0] }

// ended is when the key's record says that it ended, 0 while it lives.
func (k *modelKey) ended(now int64) int64 {
	switch expires := k.newest().expires; {
	case k.revoked != 0:
		return min(k.revoked, expires)
	case now >= expires:
		return expires
	}
	return 0
}

// role is the key's, nil if it is gone or replaced by another of its name.
func (m *model) role(k *modelKey) *modelRole {
	if r := m.roles[k.role]; r != nil && r.uid == k.uid {
		return r
	}
	return nil
}

// declared is the key of a static name, nil where that is free.
func (m *model) declared(name string, now int64) *modelKey {
	k := m.named[name]
	if k == nil || m.role(k) == nil || k.ended(now) != 0 {
		return nil
	}
	return k
}

// remove is the end of a key's record, and of its name.
func (m *model) remove(k *modelKey) {
	delete(m.keys, k.id)
	if m.named[k.static] == k {
		delete(m.named, k.static)
	}
}

// state is what verify says of a proven version before networks and scopes.
func (m *model) state(v *modelVersion, now int64) string {
	k, r := v.key, m.role(v.key)
	switch {
	case k.revoked != 0 || r == nil:
		return "revoked"
	case now >= k.newest().expires:
		return "expired"
	case v != k.newest() && now >= v.until:
		return "superseded"
	case k.disabled || r.disabled:
		return "disabled"
	}
	return "valid"
}

// question is one verification.
type question struct {
	role, ip string
	scopes   []string
}

// codes are what verify may answer. It is one code but where a superseded
// version's retention is over and nothing has forgotten its hash yet.
func (m *model) codes(v *modelVersion, q question, now int64) []string {
	k := v.key
	if m.keys[k.id] != k || !slices.Contains(k.versions, v) || v.forgotten || q.role != "" && q.role != k.role {
		return []string{"invalid"}
	}
	code := m.state(v, now)
	if code == "valid" {
		r := m.role(k)
		switch {
		case !inside(k.network, q.ip) || !inside(r.network, q.ip):
			code = "ip_denied"
		case len(m.missing(k, q.scopes)) > 0:
			code = "insufficient_scope"
		}
	}
	if v != k.newest() && now >= v.until+retention {
		return []string{code, "invalid"}
	}
	return []string{code}
}

// missing are the scopes that the key lacks. The model's scopes have no
// wildcards, so that sets are all there is to them.
func (m *model) missing(k *modelKey, wanted []string) (lacks []string) {
	for _, s := range wanted {
		if !slices.Contains(k.scopes, s) || !slices.Contains(m.role(k).allowed, s) {
			lacks = append(lacks, s)
		}
	}
	return lacks
}

// inside knows the networks of the model by how their addresses begin.
func inside(network, ip string) bool {
	begins := map[string]string{"": "", "10.0.0.0/8": "10.", "10.1.0.0/16": "10.1."}
	return network == "" || ip != "" && strings.HasPrefix(ip, begins[network])
}

// supersede is a rotation.
func (k *modelKey) supersede(next *modelVersion, grace, now int64) {
	for _, v := range k.versions[1:] {
		v.until = min(v.until, now)
	}
	old := k.newest()
	old.superseded, old.until = now, min(now+grace, old.expires)
	k.versions = append([]*modelVersion{next}, k.versions...)
	k.versions = k.versions[:min(8, len(k.versions))]
	k.forget(now)
}

func (k *modelKey) forget(now int64) {
	for _, v := range k.versions[1:] {
		v.forgotten = v.forgotten || now >= v.until+retention
	}
}

// tidy removes what ended longer than the retention ago.
func (m *model) tidy(now int64) {
	for _, k := range m.keys {
		if ended := k.ended(now); ended != 0 && now >= ended+retention {
			m.remove(k)
			continue
		}
		k.forget(now)
	}
}

// inUse tells whether a key of the role has not ended.
func (m *model) inUse(name string, now int64) bool {
	for _, k := range m.keys {
		if k.role == name && m.role(k) != nil && k.ended(now) == 0 {
			return true
		}
	}
	return false
}
