package models

import (
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/mount"
	"vault-plugin-secrets-apikeys/trials/opener"
)

// actions are what a run of the model test chooses from, with their weights.
var actions = []struct {
	weight int
	act    func(*run)
}{
	{16, (*run).issue},
	{16, (*run).rotate},
	{3, (*run).revoke},
	{6, (*run).update},
	{6, (*run).declare},
	{1, (*run).remove},
	{8, (*run).writeRole},
	{1, (*run).removeRole},
	{10, (*run).renew},
	{3, (*run).endLease},
	{30, (*run).verify},
	{4, (*run).present},
	{2, (*run).tidy},
	{12, (*run).wait},
	{1, (*run).restart},
	{1, (*run).changeCost},
}

func (r *run) issue() {
	name, owner := r.pick("web", "svc", "tmp"), r.pick("", "acme", "ada@example.com")
	data := map[string]any{"name": "n"}
	ttl := r.seconds(0, 0, 90, 3600, 5*day)
	if ttl > 0 {
		data["ttl"] = ttl
	}
	if owner != "" {
		data["owner"] = owner
	}
	network := r.pick("", "", "10.1.0.0/16")
	if network != "" {
		data["bound_cidrs"] = network
	}
	scopes := r.scopes()
	if scopes != nil {
		data["scopes"] = scopes
	}
	path, static := "issue/"+name, r.pick("", "", "a", "b")
	if r.model.declared(static, r.now()) != nil {
		static = ""
	}
	if static != "" {
		path, data["role"] = "static-keys/"+static, name
	}
	role, sealed := r.model.roles[name], r.seals(data)
	want := http.StatusOK
	switch {
	case role == nil:
		want = http.StatusNotFound
	case role.disabled:
		want = http.StatusConflict
	case scopes != nil && !within(scopes, role.allowed):
		want = http.StatusBadRequest
	}
	a := r.expect(want, r.write(path, data))
	if !a.OK() {
		return
	}
	if scopes == nil {
		scopes = common(role.defaults, role.allowed)
	}
	k := &modelKey{
		id: a.Str("key_id"), role: name, uid: role.uid, owner: owner, name: "n", network: network,
		scopes: scopes, ttl: ttl, created: r.now(), sealed: sealed, static: static,
	}
	k.versions = []*modelVersion{r.minted(k, 1, role.lifetime(ttl), a)}
	r.model.keys[k.id] = k
	if static != "" {
		r.model.named[static] = k
	}
	r.sameAsRead(k)
}

// seals names a recipient now and then. From then on the key is not answered in clear.
func (r *run) seals(data map[string]any) bool {
	sealed := r.chance(5)
	if sealed {
		data["recipients"] = opener.Known
	}
	return sealed
}

// minted is the version that an answer shows.
func (r *run) minted(k *modelKey, number int, lifetime int64, a mount.Answer) *modelVersion {
	v := &modelVersion{key: k, text: a.Key(), number: number, created: r.now(), lifetime: lifetime}
	v.expires = v.created + lifetime
	r.versions = append(r.versions, v)
	if _, clear := a.Data["key"]; clear == k.sealed || v.text == "" {
		r.m.T.Fatalf("sealed=%t, and in clear is %t", k.sealed, clear)
	}
	if leased := r.model.roles[k.role].leased && k.static == ""; leased != (a.Secret != nil) {
		r.m.T.Fatalf("the role says leased=%t, the answer %t", leased, a.Secret != nil)
	}
	if a.Secret != nil {
		a.Secret.IssueTime = time.Now()
		v.lease = &modelLease{version: v, secret: a.Secret}
		r.leases = append(r.leases, v.lease)
		r.leaseEnds(v.lease, a.Secret, 0)
	}
	return v
}

func (r *run) rotate() {
	v := r.anyVersion()
	if v == nil {
		return
	}
	k, now := v.key, r.now()
	data := map[string]any{}
	grace, hasGrace := r.seconds(-1, 0, 60, 3600, 8*day), true
	if hasGrace = grace >= 0; hasGrace {
		data["grace_period"] = grace
	}
	ttl := r.seconds(0, 0, 90, 5*day)
	if ttl > 0 {
		data["ttl"] = ttl
	}
	path, presented := "rotate/"+k.id, k.newest()
	want := http.StatusOK
	if byKey := r.chance(2); byKey {
		path, presented, data["key"] = "rotate", v, v.text
		if !r.proven(v) {
			want = http.StatusNotFound
		}
	} else if r.model.keys[k.id] != k {
		want = http.StatusNotFound
	}
	role, sealed := r.model.role(k), r.seals(data)
	switch {
	case want != http.StatusOK:
	case presented != k.newest() || r.model.state(k.newest(), now) != "valid":
		want = http.StatusConflict
	case hasGrace && grace > role.maxGrace:
		want = http.StatusBadRequest
	}
	a := r.expect(want, r.write(path, data))
	if !a.OK() {
		return
	}
	if ttl == 0 {
		ttl = k.ttl
	}
	if !hasGrace {
		grace = role.grace
	}
	k.sealed = k.sealed || sealed
	k.supersede(r.minted(k, k.newest().number+1, role.lifetime(ttl), a), grace, r.now())
	r.sameAsRead(k)
}

func (r *run) revoke() {
	v := r.anyVersion()
	if v == nil {
		return
	}
	k, now, want := v.key, r.now(), http.StatusOK
	path, data := "revoke/"+k.id, map[string]any{"reason": "because"}
	ends := k.revoked == 0
	if r.chance(2) {
		path, data["key"] = "revoke", v.text
		state := r.model.state(v, now)
		switch {
		case !r.proven(v):
			want = http.StatusNotFound
		case state == "expired" || state == "superseded":
			want = http.StatusConflict
		case state == "revoked":
			ends = false
		}
	} else if r.model.keys[k.id] != k {
		want = http.StatusNotFound
	}
	if a := r.expect(want, r.write(path, data)); !a.OK() {
		return
	}
	if ends {
		k.revoked, k.reason = now, "because"
	}
	r.sameAsRead(k)
}

func (r *run) update() {
	k := r.anyKey()
	if k == nil {
		return
	}
	data, scopes, want := map[string]any{"disabled": r.chance(2), "name": r.pick("x", "y")}, r.scopes(), http.StatusOK
	if scopes != nil {
		data["scopes"] = scopes
	}
	switch {
	case r.model.keys[k.id] != k:
		want = http.StatusNotFound
	case r.model.role(k) == nil || k.ended(r.now()) != 0:
		want = http.StatusConflict
	case scopes != nil && !within(scopes, r.model.role(k).allowed):
		want = http.StatusBadRequest
	}
	if a := r.expect(want, r.write("keys/"+k.id, data)); !a.OK() {
		return
	}
	k.disabled, k.name = data["disabled"].(bool), data["name"].(string)
	if scopes != nil {
		k.scopes = scopes
	}
	r.sameAsRead(k)
}

// declare does to a static name what does not mint: read, change or delete.
func (r *run) declare() {
	name := r.pick("a", "b")
	path, k := "static-keys/"+name, r.model.declared(name, r.now())
	if k == nil {
		r.expect(http.StatusNotFound, r.m.Read(path))
	} else if a := r.expect(http.StatusOK, r.m.Read(path)); a.Str("key_id") != k.id || a.Str("static_name") != name {
		r.m.T.Fatalf("%s leads to %s, the model says %s", name, a.Str("key_id"), k.id)
	}
	switch {
	case r.chance(3):
		r.expect(http.StatusNoContent, r.do(logical.DeleteOperation, path, nil))
		if k != nil {
			r.model.remove(k)
		}
		delete(r.model.named, name)
	case k != nil:
		k.name, k.ttl = r.pick("x", "y"), r.seconds(0, 90, 5*day)
		r.expect(http.StatusOK, r.write(path, map[string]any{"name": k.name, "ttl": k.ttl, "role": k.role}))
		r.sameAsRead(k)
	}
}

func (r *run) remove() {
	if k := r.anyKey(); k != nil {
		r.expect(http.StatusNoContent, r.do(logical.DeleteOperation, "keys/"+k.id, nil))
		if r.model.keys[k.id] == k {
			r.model.remove(k)
		}
	}
}

func (r *run) changeCost() {
	cost := keyhash.Params{MemoryKiB: uint32(8 + r.rand.IntN(3)), Iterations: 1, Parallelism: 1}
	mount.SetCost(r.m.T, r.m.Storage, cost)
	r.m.Backend.InvalidateKey(r.m.T.Context(), "config")
}
