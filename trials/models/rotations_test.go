package models

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-apikeys/backend/keyhash"
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
	m        *mount.Mount
	rand     *rand.Rand
	id       string
	disabled bool
	revoked  bool
	versions []*turn // oldest first, all that ever were
	told     []string
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

func (k *turns) ended() bool { return k.revoked || k.now() >= k.current().expires }

func (k *turns) code(v *turn) string {
	now := k.now()
	left, grace := v.until-now, v.until-v.superseded
	switch {
	case v.gone:
		return "invalid"
	case k.revoked:
		return "revoked"
	case now >= k.current().expires:
		return "expired"
	case v.cancelled != 0, v.superseded != 0 && left <= 0:
		return "superseded"
	case v.superseded != 0 && grace >= 4*3600 && left*4 <= grace && (left%3600 == 0 || left%3600 > 3300):
		return "superseded" // in a brownout
	case k.disabled:
		return "disabled"
	}
	return "valid"
}

func (k *turns) want(status int, what string, a mount.Answer) bool {
	k.m.T.Helper()
	k.told = append(k.told, fmt.Sprintf("%d %s: %d %s", k.now(), what, a.Status, a.Text))
	if a.Status != status {
		k.m.T.Fatalf("%s answers %d %s, want %d, after\n%q", what, a.Status, a.Text, status, k.told[max(0, len(k.told)-12):])
	}
	return a.OK()
}

func (k *turns) add(a mount.Answer, grace, waits int64) {
	now := k.now()
	v := &turn{number: int(a.Data["version"].(float64)), text: a.Str("key"), lease: a.Secret, created: now, expires: now + turnTTL}
	if a.Secret != nil {
		k.m.Registered(a)
	}
	if len(k.versions) > 0 {
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

func (k *turns) rotate() {
	grace, waits := []int64{0, 60, 3600, 8 * 3600}[k.rand.IntN(4)], []int64{0, 30, 7200, 30 * 3600}[k.rand.IntN(4)]
	data := map[string]any{"grace_period": grace, "activation": "immediate", "expected_version": k.newest().number}
	if waits > 0 {
		data["activation"], data["pending_period"] = "first_use", waits
	}
	path, took := "rotate/"+k.id, (*turn)(nil)
	want := 200
	if k.ended() || k.disabled {
		want = 409
	}
	if k.rand.IntN(2) == 0 {
		v := k.any()
		path, data["key"] = "rotate", v.text
		switch {
		case v.gone:
			want = 404
		case v != k.current() && !v.pending():
			want = 409
		case v.pending():
			took = v
		}
	}
	if a := k.m.Write(path, data); k.want(want, fmt.Sprint(path, data["activation"], waits, " ", grace), a) {
		if took != nil {
			k.activate(took, k.now(), took.grace)
		}
		if got := int(a.Data["previous_version"].(float64)); got != k.current().number {
			k.m.T.Fatalf("version %d is replaced, want %d", got, k.current().number)
		}
		k.add(a, grace, waits)
	}
}

func (k *turns) conclude() {
	p, cur := k.newest(), k.current()
	old, now := k.before(cur.number), k.now()
	grace := []int64{0, 60, 7200}[k.rand.IntN(3)]
	inGrace := old != nil && now < old.until
	if k.rand.IntN(2) == 0 {
		want := 200
		if k.ended() || !p.pending() && (!inGrace || old.cut) {
			want = 409
		}
		if k.want(want, "rollback", k.m.Write("rotate/"+k.id+"/rollback", map[string]any{"expected_version": p.number})) {
			if !p.pending() {
				p = cur
				old.superseded, old.until = 0, 0
			}
			p.cancelled, p.gone = now, true
		}
		return
	}
	want := 200
	if k.ended() || !p.pending() && !inGrace {
		want = 409
	}
	if k.want(want, fmt.Sprint("finish ", grace), k.m.Write("rotate/"+k.id+"/finish", map[string]any{"grace_period": grace})) {
		if p.pending() {
			k.activate(p, now, min(grace, p.grace))
		} else {
			old.until = min(old.until, now+grace)
		}
	}
}

func (k *turns) lease() {
	v, now := k.any(), k.now()
	if v.lease == nil {
		return
	}
	dead := v.gone && v.cancelled == 0 || k.revoked || v.cancelled != 0 || k.now() >= k.current().expires
	if k.rand.IntN(4) > 0 {
		a := k.m.Renew(v.lease, 0)
		works := !dead && (v.superseded == 0 || now < v.until)
		k.want(map[bool]int{true: 200, false: cmp.Or(a.Status*btoi(!a.OK()), 500)}[works], fmt.Sprint("renew ", v.number), a)
		switch {
		case !works:
		case v.superseded != 0:
			v.expires, v.cut = min(v.expires, v.until), true
		default:
			v.expires = min(now+turnTTL, v.created+turnMax)
		}
		return
	}
	k.want(204, fmt.Sprint("the end of lease ", v.number), k.m.EndLease(v.lease))
	switch {
	case dead:
	case v.pending():
		v.cancelled = now
	case v == k.current():
		k.revoked = true
	case now < v.until || now < v.expires:
		v.until, v.expires, v.cut = min(v.until, now), min(v.expires, now), true
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (k *turns) any() *turn {
	late := k.versions[max(0, len(k.versions)-3):]
	if k.rand.IntN(6) == 0 {
		late = k.versions
	}
	return late[k.rand.IntN(len(late))]
}

func (k *turns) verify(v *turn, cost int) {
	k.m.T.Helper()
	want := k.code(v)
	a := k.m.Must("verify", map[string]any{"key": v.text, "cost": cost})
	k.want(200, fmt.Sprintf("verify %d at %d: %s", v.number, cost, a.Str("code")), a)
	if got := a.Str("code"); got != want {
		k.m.T.Fatalf("version %d is %s, want %s, after\n%q", v.number, got, want, k.told[max(0, len(k.told)-12):])
	}
	if want == "valid" && cost > 0 && v.pending() {
		k.activate(v, k.now(), v.grace)
	}
}

// wait passes some time, or goes to the second at which something happens.
func (k *turns) wait() {
	d := []int64{1, 1, 30, 60, 300, 1800, 3600, 7200}[k.rand.IntN(8)]
	edges := []int64{k.current().expires, k.newest().waits, k.newest().expires}
	if old := k.before(k.current().number); old != nil {
		edges = append(edges, old.until, old.until-3600, old.until-3300)
	}
	if left := edges[k.rand.IntN(len(edges))] - k.now() - int64(k.rand.IntN(2)); k.rand.IntN(3) == 0 && left > 0 {
		d = left
	}
	time.Sleep(time.Duration(d) * time.Second)
}

func (k *turns) look() {
	k.m.T.Helper()
	valid := 0
	for _, v := range k.versions[max(0, len(k.versions)-12):] {
		k.verify(v, 0)
		valid += btoi(k.code(v) == "valid")
	}
	if valid > 2 {
		k.m.T.Fatalf("%d versions work", valid)
	}
	a := k.m.Read("keys/" + k.id)
	if got := a.Data["version"]; got != float64(k.current().number) || a.Str("expires_at") != rfc3339(k.current().expires) {
		k.m.T.Fatalf("version %v is current and expires at %v, want %d at %s, after\n%q", got, a.Data["expires_at"], k.current().number, rfc3339(k.current().expires), k.told[max(0, len(k.told)-12):])
	}
	for _, shown := range a.Data["versions"].([]any) {
		s := shown.(map[string]any)
		v := k.versions[int(s["version"].(float64))-1]
		since := cmp.Or(v.activated, v.created*int64(btoi(v.waits == 0)))
		want := []any{rfc3339(v.superseded), rfc3339(v.until), rfc3339(v.waits), rfc3339(since), rfc3339(v.cancelled), rfc3339(v.expires)}
		got := []any{s["superseded_at"], s["valid_until"], s["pending_until"], s["activated_at"], s["cancelled_at"], s["expires_at"]}
		if !slices.Equal(got, want) {
			k.m.T.Fatalf("version %d is shown as %v, want %v, after\n%q", v.number, got, want, k.told[max(0, len(k.told)-12):])
		}
	}
}

// delegate makes a child by any version: one that waits takes effect by it.
func (k *turns) delegate() {
	v, want := k.any(), 200
	took := v.pending()
	switch {
	case v.gone:
		want = 404
	case k.ended() || k.disabled || v != k.current() && !took:
		want = 409
	}
	if a := k.m.Write("delegate", map[string]any{"key": v.text}); k.want(want, fmt.Sprint("delegate by ", v.number), a) && took {
		k.activate(v, k.now(), v.grace)
	}
}

func (k *turns) step() {
	k.settle()
	switch n := k.rand.IntN(100); {
	case n < 18:
		k.rotate()
	case n < 30:
		k.conclude()
	case n < 42:
		k.verify(k.any(), 1)
	case n < 55:
		k.lease()
	case n < 60:
		off := k.rand.IntN(2) == 0
		if k.want(map[bool]int{true: 409, false: 200}[k.ended()], "disable", k.m.Write("keys/"+k.id, map[string]any{"disabled": off})) {
			k.disabled = off
		}
	case n < 61:
		k.want(200, "revoke", k.m.Write("revoke/"+k.id, nil))
		k.revoked = true
	case n < 66:
		k.delegate()
	case n < 68:
		time.Sleep(time.Second) // a first use is written
		k.m.Restart()
	case n < 70:
		if state := k.m.Tidy(); state != "done" {
			k.m.T.Fatal(state)
		}
	default:
		k.wait()
	}
	k.settle()
	k.look()
}

func TestRotationsAreWhatAModelOfThemIs(t *testing.T) {
	first, seeds := fromEnv("MODEL_SEED", 1), fromEnv("MODEL_SEEDS", 16)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &turns{m: mount.New(t), rand: rand.New(rand.NewPCG(uint64(seed), 5))}
				k.m.FlushRarely()
				k.m.Must("config", map[string]any{"argon2_memory_kib": 19456, "argon2_iterations": 2, "revoked_retention": "2000h"})
				mount.SetCost(t, k.m.Storage, keyhash.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1})
				k.m.Backend.InvalidateKey(t.Context(), "config")
				k.m.Must("roles/web", map[string]any{"generate_lease": seed%2 == 0, "ttl": turnTTL, "max_ttl": turnMax, "grace_brownout": true, "max_delegation_depth": 1})
				for range 80 {
					if len(k.versions) == 0 || k.ended() && k.rand.IntN(8) == 0 {
						k.versions, k.disabled, k.revoked = nil, false, false
						a := k.m.Must("issue/web", nil)
						k.id = a.Str("key_id")
						k.add(a, 0, 0)
					}
					k.step()
				}
			})
		})
	}
}
