package models

import (
	"fmt"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
	"vault-plugin-secrets-apikeys/trials/mount"
)

// What can be done to a key of the model of rotations, and what comes of it.

// turning is a mount with a role web, whose keys all are of one owner.
func turning(t *testing.T, leased bool) *mount.Mount {
	m := mount.New(t)
	m.FlushRarely()
	m.Must("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "revoked_retention": "2000h"})
	mount.SetCost(t, m.Storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
	m.Backend.InvalidateKey(t.Context(), "config")
	m.Must("roles/web", map[string]any{"generate_lease": leased, "ttl": turnTTL, "max_ttl": turnMax, "grace_brownout": true, "max_delegation_depth": 1})
	return m
}

func issuedOn(m *mount.Mount) *turns {
	m.T.Helper()
	k, a := &turns{m: m}, m.Must("issue/web", map[string]any{"owner": "acme"})
	k.id, k.versions = a.Str("key_id"), []*turn{k.minted(a)}
	return k
}

// minted is the version of an answer.
func (k *turns) minted(a mount.Answer) *turn {
	if a.Secret != nil {
		k.m.Registered(a)
	}
	return &turn{number: int(a.Data["version"].(float64)), text: a.Str("key"), lease: a.Secret, created: k.now(), expires: k.now() + turnTTL}
}

func (k *turns) want(status int, what string, a mount.Answer) bool {
	k.m.T.Helper()
	k.told = append(k.told, fmt.Sprintf("%d %s: %d %s", k.now(), what, a.Status, a.Text))
	if a.Status != status {
		k.fail("%s answers %d %s, want %d", what, a.Status, a.Text, status)
	}
	return a.OK()
}

func (k *turns) fail(format string, of ...any) {
	k.m.T.Helper()
	k.m.T.Fatalf(format+", after\n%q", append(of, k.told[max(0, len(k.told)-12):])...)
}

// refusal is what an operation of an operator is answered where it refuses, 200 where
// it does not.
func (k *turns) refusal(refused bool) int {
	switch {
	case k.deleted:
		return 404
	case refused:
		return 409
	}
	return 200
}

// holding is likewise for who holds a version, and whether it takes effect by that.
func (k *turns) holding(v *turn) (status int, took bool) {
	if v.gone {
		return 404, false
	}
	status = k.refusal(k.ended() || k.disabled || v != k.current() && !v.pending())
	return status, status == 200 && v.pending()
}

// rotate is one by an operator where nobody holds a version.
func (k *turns) rotate(by *turn, grace, waits int64) {
	k.m.T.Helper()
	data := map[string]any{"grace_period": grace, "activation": "immediate", "expected_version": k.newest().number}
	if waits > 0 {
		data["activation"], data["pending_period"] = "first_use", waits
	}
	path, took, want := "rotate/"+k.id, false, k.refusal(k.ended() || k.disabled)
	if by != nil {
		path, data["key"] = "rotate", by.text
		want, took = k.holding(by)
	}
	a := k.m.Write(path, data)
	if !k.want(want, fmt.Sprint(path, " ", data["activation"], " ", waits, " ", grace), a) {
		return
	}
	if took {
		k.activate(by, k.now(), by.grace)
	}
	if got := int(a.Data["previous_version"].(float64)); got != k.current().number {
		k.fail("version %d is replaced, want %d", got, k.current().number)
	}
	k.replace(k.minted(a), grace, waits)
}

func (k *turns) inGrace() *turn {
	if old := k.before(k.current().number); old != nil && k.now() < old.until {
		return old
	}
	return nil
}

func (k *turns) rollback() {
	k.m.T.Helper()
	p, old := k.newest(), k.inGrace()
	want := k.refusal(k.ended() || !p.pending() && (old == nil || old.cut))
	if !k.want(want, "rollback", k.m.Write("rotate/"+k.id+"/rollback", map[string]any{"expected_version": p.number})) {
		return
	}
	if !p.pending() {
		p = k.current()
		old.superseded, old.until = 0, 0
	}
	p.cancelled, p.gone = k.now(), true
}

func (k *turns) finish(grace int64) {
	k.m.T.Helper()
	p, old := k.newest(), k.inGrace()
	want := k.refusal(k.ended() || !p.pending() && old == nil)
	if !k.want(want, fmt.Sprint("finish ", grace), k.m.Write("rotate/"+k.id+"/finish", map[string]any{"grace_period": grace})) {
		return
	}
	if p.pending() {
		k.activate(p, k.now(), min(grace, p.grace))
	} else {
		old.until = min(old.until, k.now()+grace)
	}
}

// dead tells whether nothing comes of the end of a version's lease.
func (k *turns) dead(v *turn) bool {
	return k.deleted || k.revoked || v.gone || v.cancelled != 0 || k.now() >= k.current().expires
}

func (k *turns) renew(v *turn) {
	k.m.T.Helper()
	a, now := k.m.Renew(v.lease, 0), k.now()
	works := !k.dead(v) && !k.stopped && (v.superseded == 0 || now < v.until)
	want := 200
	if !works && !a.OK() {
		want = a.Status
	} else if !works {
		want = 400
	}
	k.want(want, fmt.Sprint("renew ", v.number), a)
	switch {
	case !works:
	case v.superseded != 0:
		v.expires, v.cut = min(v.expires, v.until), true
	default:
		v.expires = min(now+turnTTL, v.created+turnMax)
	}
}

func (k *turns) endLease(v *turn) {
	k.m.T.Helper()
	k.want(204, fmt.Sprint("the end of lease ", v.number), k.m.EndLease(v.lease))
	now := k.now()
	switch {
	case k.dead(v):
	case v.pending():
		v.cancelled = now
	case v == k.current():
		k.revoked = true
	case now < v.until || now < v.expires:
		v.until, v.expires, v.cut = min(v.until, now), min(v.expires, now), true
	}
}

// use is a verification, at no cost none.
func (k *turns) use(v *turn, cost int) {
	k.m.T.Helper()
	want := k.code(v)
	a := k.m.Must("verify", map[string]any{"key": v.text, "cost": cost})
	k.want(200, fmt.Sprintf("verify %d at %d: %s", v.number, cost, a.Str("code")), a)
	if got := a.Str("code"); got != want {
		k.fail("version %d is %s, want %s", v.number, got, want)
	}
	if want == "valid" && cost > 0 && v.pending() {
		k.activate(v, k.now(), v.grace)
	}
}

// delegate makes a child by any version: one that waits takes effect by it.
func (k *turns) delegate(v *turn) {
	k.m.T.Helper()
	want, took := k.holding(v)
	a := k.m.Write("delegate", map[string]any{"key": v.text})
	if !k.want(want, fmt.Sprint("delegate by ", v.number), a) {
		return
	}
	if took {
		k.activate(v, k.now(), v.grace)
	}
	k.children = append(k.children, &child{a.Str("key"), min(k.now()+turnTTL, v.expires)})
}

// revoke is done by an operator where nobody holds a version.
func (k *turns) revoke(by *turn) {
	k.m.T.Helper()
	path, data, want := "revoke/"+k.id, map[string]any{}, k.refusal(false)
	if by != nil {
		path, data["key"] = "revoke", by.text
		state := k.state(by)
		want = map[bool]int{true: 409, false: 200}[state == "expired" || state == "superseded"]
		if state == "invalid" {
			want = 404
		}
	}
	if k.want(want, path, k.m.Write(path, data)) && !k.stopped {
		k.revoked = true
	}
}

func (k *turns) disable(off bool) {
	k.m.T.Helper()
	if k.want(k.refusal(k.ended()), fmt.Sprint("disabled=", off), k.m.Write("keys/"+k.id, map[string]any{"disabled": off})) {
		k.disabled = off
	}
}

// stop ends all that there is of its owner or its role.
func (k *turns) stop(what string) {
	k.m.T.Helper()
	k.want(200, "stop "+what, k.m.Write("stop/"+what, nil))
	k.stopped = true
}

func (k *turns) remove() {
	k.m.T.Helper()
	k.want(204, "delete", k.m.Do(logical.DeleteOperation, "keys/"+k.id, nil))
	k.deleted = true
}
