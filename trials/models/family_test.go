package models

import (
	"math/rand/v2"
	"testing"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// kin is a key of the model: what is expected of it and of those below it.
type kin struct {
	text, id          string
	parent            *kin
	depth             int
	owner             string
	revoked, disabled bool
	quota, spent      int // no quota is 0
	stops             int // of its owner and its role when it was issued
}

// family is a model of delegation, stops and quotas, written without a look at
// how the engine does it.
type family struct {
	m     *mount.Mount
	rand  *rand.Rand
	keys  []*kin
	stops map[string]int // by owner; those of the role under ""
}

const familyDepth = 3

func (f *family) stopped(owner string) int { return f.stops[owner] + f.stops[""] }

// code is what verify must answer, and spends what it spends.
func (f *family) code(k *kin) string {
	switch {
	case k.revoked, k.stops < f.stopped(k.owner):
		return "revoked"
	case k.disabled:
		return "disabled"
	}
	for a := k.parent; a != nil; a = a.parent {
		if a.revoked || a.disabled || a.stops < f.stopped(a.owner) {
			return "parent_ended"
		}
	}
	for a := k; a != nil; a = a.parent {
		if a.quota > 0 && a.spent == a.quota {
			return "quota_exceeded"
		}
	}
	for a := k; a != nil; a = a.parent {
		a.spent++
	}
	return "valid"
}

// active tells whether the key verifies, limits aside.
func (f *family) active(k *kin) bool {
	for a := k; a != nil; a = a.parent {
		if a.revoked || a.disabled || a.stops < f.stopped(a.owner) {
			return false
		}
	}
	return true
}

func (f *family) add(a mount.Answer, k *kin) {
	k.text, k.id, k.stops = a.Str("key"), a.Str("key_id"), f.stopped(k.owner)
	f.keys = append(f.keys, k)
}

func (f *family) issue() {
	k := &kin{owner: []string{"acme", "umbrella"}[f.rand.IntN(2)], quota: f.rand.IntN(8)}
	f.add(f.m.Must("issue/web", map[string]any{"owner": k.owner, "quota": k.quota}), k)
}

func (f *family) delegate(p *kin) {
	k := &kin{parent: p, depth: p.depth + 1, owner: p.owner, quota: f.rand.IntN(5)}
	a := f.m.Write("delegate", map[string]any{"key": p.text, "quota": k.quota})
	tooMuch := false
	for above := p; above != nil; above = above.parent {
		tooMuch = tooMuch || above.quota > 0 && k.quota > above.quota
	}
	switch {
	case !f.active(p):
		f.want(a.Status == 409, "a child of one that is not active", a)
	case p.depth == familyDepth, tooMuch:
		f.want(a.Status == 400, "a child beyond its parent", a)
	default:
		f.want(a.OK(), "a child", a)
		f.add(a, k)
	}
}

func (f *family) rotate(k *kin) {
	a := f.m.Write("rotate/"+k.id, map[string]any{"grace_period": 0})
	f.want(a.OK() == f.active(k), "a rotation", a)
	if a.OK() {
		k.text = a.Str("key")
	}
}

func (f *family) want(ok bool, what string, a mount.Answer) {
	f.m.T.Helper()
	if !ok {
		f.m.T.Fatalf("%s answered %d %s", what, a.Status, a.Text)
	}
}

func (f *family) step() {
	if len(f.keys) == 0 {
		f.issue()
	}
	k := f.keys[f.rand.IntN(len(f.keys))]
	switch n := f.rand.IntN(100); {
	case n < 10:
		f.issue()
	case n < 25:
		f.delegate(k)
	case n < 31:
		f.rotate(k)
	case n < 34:
		f.m.Must("revoke/"+k.id, nil)
		k.revoked = true
	case n < 40:
		off := f.rand.IntN(2) == 0
		a := f.m.Write("keys/"+k.id, map[string]any{"disabled": off})
		if a.OK() {
			k.disabled = off
		}
	case n < 41:
		f.m.Must("stop/owners/"+k.owner, nil)
		f.stops[k.owner]++
	case n < 42:
		f.m.Must("stop/roles/web", nil)
		f.stops[""]++
	case n < 44:
		f.m.Restart() // in order: what was reserved and not spent comes back
	default:
		want := f.code(k)
		if got := f.m.Code(k.text); got != want {
			f.m.T.Fatalf("verify answers %s, the model %s: %+v", got, want, *k)
		}
	}
}

func TestFamiliesOfKeysAreWhatAModelOfThemIs(t *testing.T) {
	for seed := range uint64(6) {
		f := &family{m: mount.New(t), rand: rand.New(rand.NewPCG(seed, 3)), stops: map[string]int{}}
		f.m.Must("roles/web", map[string]any{"generate_lease": false, "max_delegation_depth": familyDepth})
		for range 400 {
			f.step()
		}
		t.Logf("seed %d: %d keys", seed, len(f.keys))
	}
}
