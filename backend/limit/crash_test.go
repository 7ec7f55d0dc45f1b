package limit

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"vault-plugin-secrets-apikeys/backend/record"
)

// node is a meter that may crash, on storage that may fail.
type node struct {
	*testing.T
	*Meter
	disk   *disk
	random *rand.Rand
	line   Line
	now    record.Time
	spent  int64 // in the present window, by what was answered
	lost   int64 // at most, by crashes and failed writes in this window
}

func (n *node) limits() record.Limits { return n.line.Limits }

// step takes, crashes, ends in order, lets time pass or breaks a write.
func (n *node) step() {
	before := n.limits().WindowStart(created, n.now)
	n.disk.failPut = nil
	switch n.random.IntN(20) {
	case 0:
		n.crash()
	case 1:
		if err := n.Settle(n.Context(), 0); err != nil {
			n.Fatal(err)
		}
		n.Meter = NewMeter(n.disk)
	case 2:
		n.now = n.now.Add(record.Seconds(n.random.Int64N(40)))
	case 3, 4:
		effect := n.random.IntN(2) == 0
		n.disk.failPut = func(int) (bool, bool) { return effect, true }
		n.lost += maxLoss(n.limits().Quota)
		if n.random.IntN(3) == 0 {
			_ = n.Settle(n.Context(), 0)
		}
		n.take()
	default:
		n.take()
	}
	if n.limits().WindowStart(created, n.now) != before {
		n.spent, n.lost = 0, 0
	}
}

func (n *node) crash() {
	n.Meter = NewMeter(n.disk)
	n.lost += maxLoss(n.limits().Quota)
}

// maxLoss is the most that a crash may lose: a block, and what a large cost
// needed beside it.
func maxLoss(quota int64) int64 { return blockSize(quota) }

func (n *node) take() {
	cost := n.random.Int64N(4)
	v, err := n.Take(n.Context(), []Line{n.line}, cost, n.now)
	if err == nil && v.Outcome == Allowed {
		n.spent += cost
	}
	quota := n.limits().Quota
	if n.spent > quota {
		n.Fatalf("of %d it gave %d", quota, n.spent)
	}
	// A node that refuses may have lost blocks, and nothing else.
	if err == nil && v.Outcome == QuotaExceeded && quota-n.spent-cost >= n.lost {
		n.Fatalf("of %d, of which %d were spent and at most %d lost, it refuses %d", quota, n.spent, n.lost, cost)
	}
	if err == nil && v.Remaining.Quota > quota-n.spent {
		n.Fatalf("of %d, of which %d were spent, it says that %d remain", quota, n.spent, v.Remaining.Quota)
	}
}

func TestAQuotaIsNeverOverspentAndACrashLosesABlockAtMost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		for _, period := range []record.Seconds{0, 100} {
			t.Run(fmt.Sprintf("seed %d, windows of %d s", seed, period), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, 5))
				d := newDisk()
				n := &node{T: t, Meter: NewMeter(d), disk: d, random: random, now: created}
				n.line = lineOf("a", quotaOf(1+random.Int64N(3000), period))
				for range 1500 {
					n.step()
				}
			})
		}
	}
}
