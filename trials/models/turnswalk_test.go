package models

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/trials/mount"
)

// TestRotationsAreWhatAModelOfThemIs prints the seeds that fail: see
// TestRandomOperationsAgreeWithTheModel.
func TestRotationsAreWhatAModelOfThemIs(t *testing.T) {
	first, seeds := fromEnv("MODEL_SEED", 1), fromEnv("MODEL_SEEDS", 16)
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &ramble{m: turning(t, seed%2 == 0), rand: rand.New(rand.NewPCG(uint64(seed), 5))}
				for range 80 {
					if r.turns == nil || (r.ended() || r.deleted) && r.rand.IntN(8) == 0 {
						r.turns = issuedOn(r.m)
					}
					r.settle()
					r.step()
					r.look()
				}
			})
		})
	}
}

// ramble is a walk by chance through what can be done to keys, one after the other.
type ramble struct {
	*turns
	m    *mount.Mount
	rand *rand.Rand
}

func (r *ramble) step() {
	v := r.any()
	switch n := r.rand.IntN(100); {
	case n < 18:
		by := v
		if r.rand.IntN(2) == 0 {
			by = nil
		}
		r.rotate(by, r.one(0, 60, 3600, 8*3600), r.one(0, 30, 7200, 30*3600))
	case n < 24:
		r.rollback()
	case n < 30:
		r.finish(r.one(0, 60, 7200))
	case n < 42:
		r.use(v, 1)
	case n < 51 && v.lease != nil:
		r.renew(v)
	case n < 54 && v.lease != nil:
		r.endLease(v)
	case n < 60:
		r.disable(r.rand.IntN(2) == 0)
	case n < 61:
		r.revoke(nil)
	case n < 62:
		r.revoke(v)
	case n < 66:
		r.delegate(v)
	case n < 67:
		r.stop([]string{"owners/acme", "roles/web"}[r.rand.IntN(2)])
	case n < 69:
		time.Sleep(time.Second) // a first use is written
		r.m.Restart()
	case n < 71:
		if state := r.m.Tidy(); state != "done" {
			r.m.T.Fatal(state)
		}
	case n == 71 && r.rand.IntN(3) == 0:
		r.remove()
	default:
		r.wait()
	}
}

func (r *ramble) one(some ...int64) int64 { return some[r.rand.IntN(len(some))] }

// any is a version, mostly a late one.
func (r *ramble) any() *turn {
	late := r.versions[max(0, len(r.versions)-3):]
	if r.rand.IntN(6) == 0 {
		late = r.versions
	}
	return late[r.rand.IntN(len(late))]
}

// wait passes some time, or goes to the second at which something happens.
func (r *ramble) wait() {
	d := r.one(1, 1, 30, 60, 300, 1800, 3600, 7200)
	edges := []int64{r.current().expires, r.newest().waits, r.newest().expires}
	if old := r.before(r.current().number); old != nil {
		edges = append(edges, old.until, old.until-3600, old.until-3300)
	}
	if left := r.one(edges...) - r.now() - r.one(0, 1); r.rand.IntN(3) == 0 && left > 0 {
		d = left
	}
	time.Sleep(time.Duration(d) * time.Second)
}
