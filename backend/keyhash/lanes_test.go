package keyhash

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestMintAndCheckAlternate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.check("x", "first", "")
		for i := range 4 {
			b.check("x", fmt.Sprintf("c%d", i), "")
		}
		b.mint("m0", 8)
		b.mint("m1", 8)
		b.finish(7)
		b.wantStarts("first m0 c0 m1 c1 c2 c3")
		for i := range 3 {
			b.mint(fmt.Sprintf("m%d", i+2), 8)
		}
		b.check("x", "c4", "")
		b.finish(4)
		b.wantStarts("first m0 c0 m1 c1 c2 c3 m2 c4 m3 m4")
		b.wantIdle()
	})
}

func TestBackgroundWaitsForTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.mint("m0", 8)
		b.rehash("b0")
		b.rehash("b1")
		b.mint("m1", 8)
		b.check("x", "c0", "")
		b.finish(3)
		b.wantStarts("m0 c0 m1 b0")
		b.check("x", "c1", "")
		b.finish(1)
		b.wantStarts("m0 c0 m1 b0 c1")
		b.finish(2)
		b.wantStarts("m0 c0 m1 b0 c1 b1")
		b.wantIdle()
	})
}

func TestIDsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.check("a", "a0", "")
		for i := range 4 {
			b.check("a", fmt.Sprintf("a%d", i+1), "")
		}
		b.check("b", "b0", "")
		b.check("c", "c0", "")
		b.check("b", "b1", "")
		b.finish(8)
		b.wantStarts("a0 a1 b0 c0 a2 b1 a3 a4")
		b.wantIdle()
	})
}

func TestTheSamePresentationsShareOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		var right, wrong []*call
		for range 50 {
			right = append(right, b.check("x", "right", "right"))
			wrong = append(wrong, b.check("x", "wrong", "right"))
		}
		other := b.check("x", "right", "another hash")
		b.finish(3)
		b.wantStarts("right wrong right")
		for i := range right {
			if !right[i].done || !right[i].ok || right[i].err != nil {
				t.Errorf("right %d: %+v", i, right[i])
			}
			if !wrong[i].done || wrong[i].ok || wrong[i].err != nil {
				t.Errorf("wrong %d: %+v", i, wrong[i])
			}
		}
		if !other.done || other.ok || other.err != nil {
			t.Errorf("other hash: %+v", other)
		}
		b.wantIdle()

		// What is over is not remembered.
		b.check("x", "right", "right")
		b.finish(1)
		b.wantStarts("right wrong right right")
	})
}

func TestASharedRunStaysWhileOneWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		b.mint("m0", 8)
		first := b.check("x", "k", "k")
		time.Sleep(second)
		late := b.check("x", "k", "k")
		time.Sleep(second + second/2) // the first has given up
		b.finish(2)
		if !errors.Is(first.err, ErrBusy) || !late.ok || late.err != nil {
			t.Errorf("first %+v, late %+v", first, late)
		}
		b.wantStarts("m0 k")
		b.wantIdle()
	})
}

func TestALaneIsBounded(t *testing.T) {
	t.Parallel()
	for name, enter := range map[string]func(b *bench, i int) *call{
		"mint":       func(b *bench, i int) *call { return b.mint(fmt.Sprint(i), 8) },
		"check":      func(b *bench, i int) *call { return b.check("x", fmt.Sprint(i), "") },
		"check ids":  func(b *bench, i int) *call { return b.check(fmt.Sprint(i), "k", fmt.Sprint(i)) },
		"background": func(b *bench, i int) *call { return b.rehash(fmt.Sprint(i)) },
	} {
		for _, slots := range []int{1, 3} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, slots+1)
				n := slots + slots*mint.queuePerSlot()
				for i := range n {
					if c := enter(b, i); c.done {
						t.Fatalf("%s: call %d of %d: %v", name, i, n, c.err)
					}
				}
				if c := enter(b, n); !c.done || c.err != ErrBusy || c.after != 0 {
					t.Errorf("%s: one too many: %+v", name, c)
				}
				b.finish(n)
				b.wantIdle()
			})
		}
	}
}

func TestWhoFillsALaneMakesRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		var flood []*call
		for i := range 1 + mint.queuePerSlot() {
			flood = append(flood, b.check("x", fmt.Sprintf("x%d", i), ""))
		}
		victim := b.check("y", "key", "key")
		if last := flood[len(flood)-1]; !last.done || last.err != ErrBusy {
			t.Errorf("the youngest of the flood: %+v", last)
		}
		b.finish(3)
		b.wantStarts("x0 x1 key x2")
		if !victim.ok || victim.err != nil {
			t.Errorf("the victim: %+v", victim)
		}
		b.finish(mint.queuePerSlot() - 2)
		b.wantIdle()
	})
}

func TestAQueueIsAListPerIDInTurns(t *testing.T) {
	t.Parallel()
	var q queue
	runs := map[string]*run{}
	for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
		runs[name] = &run{id: name[:1]}
		q.push(runs[name])
	}
	q.remove(runs["a2"])
	q.remove(runs["c1"])
	q.remove(runs["c1"]) // not there any more
	var order []*run
	for q.peek() != nil {
		order = append(order, q.pop())
	}
	if want := []*run{runs["a1"], runs["b1"], runs["a3"], runs["b2"]}; !slices.Equal(order, want) {
		t.Error("wrong order")
	}
	if q.length != 0 || len(q.byID) != 0 || len(q.turns) != 0 {
		t.Errorf("left: %+v", q)
	}
}
