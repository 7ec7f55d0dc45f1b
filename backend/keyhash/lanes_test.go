package keyhash

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestMintAndCheckAlternate(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.check("first", "")
		for i := range 4 {
			b.check(fmt.Sprintf("c%d", i), "")
		}
		b.mint("m0", 8)
		b.mint("m1", 8)
		b.finish(7)
		b.wantStarts("first m0 c0 m1 c1 c2 c3")
		for i := range 3 {
			b.mint(fmt.Sprintf("m%d", i+2), 8)
		}
		b.check("c4", "")
		b.finish(4)
		b.wantStarts("first m0 c0 m1 c1 c2 c3 m2 c4 m3 m4")
		b.wantIdle()
	})
}

func TestBackgroundWaitsForTheOthers(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.mint("m0", 8)
		b.rehash("b0")
		b.rehash("b1")
		b.mint("m1", 8)
		b.check("c0", "")
		b.finish(3)
		b.wantStarts("m0 c0 m1 b0")
		b.check("c1", "")
		b.finish(1)
		b.wantStarts("m0 c0 m1 b0 c1")
		b.finish(2)
		b.wantStarts("m0 c0 m1 b0 c1 b1")
		b.wantIdle()
	})
}

func TestTheSamePresentationsShareOneRun(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		var right, wrong []*call
		for range 50 {
			right = append(right, b.check("right", "right"))
			wrong = append(wrong, b.check("wrong", "right"))
		}
		other := b.check("right", "another hash")
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
		b.check("right", "right")
		b.finish(1)
		b.wantStarts("right wrong right right")
	})
}

func TestASharedRunStaysWhileOneWaits(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.mint("m0", 8)
		first := b.check("k", "k")
		time.Sleep(second)
		late := b.check("k", "k")
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
	for name, enter := range map[string]func(b *stub, i int) *call{
		"mint":       func(b *stub, i int) *call { return b.mint(fmt.Sprint(i), 8) },
		"check":      func(b *stub, i int) *call { return b.check(fmt.Sprint(i), "") },
		"check ids":  func(b *stub, i int) *call { return b.check("k", fmt.Sprint(i)) },
		"background": func(b *stub, i int) *call { return b.rehash(fmt.Sprint(i)) },
	} {
		for _, slots := range []int{1, 3} {
			synctest.Test(t, func(t *testing.T) {
				b := newStub(t, slots+1)
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

func TestALaneServesInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		names := []string{"a0", "a1", "a2", "b0", "c0", "b1"}
		var calls []*call
		for _, name := range names {
			calls = append(calls, b.check(name, ""))
		}
		calls[2].cancel()
		b.finish(5)
		b.wantStarts("a0 a1 b0 c0 b1")
		b.wantIdle()
	})
}
