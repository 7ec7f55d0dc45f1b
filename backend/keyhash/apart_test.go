package keyhash

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
)

// crowd fills a lane: one run more than this has no place in it.
func (b *stub) crowd(l lane) {
	b.t.Helper()
	for i := 0; ; i++ {
		var c *call
		switch name := fmt.Sprint("crowd ", i); l {
		case mint:
			c = b.mint(name, 8)
		case check:
			c = b.check(name, "")
		case background:
			c = b.rehash(name)
		default:
			c = b.apart(Lane{b.Hasher, l}, name)
		}
		if c.err == ErrBusy {
			return
		}
	}
}

func TestNoCrowdRefusesAKeyThatIsRevokedOrChanged(t *testing.T) {
	t.Parallel()
	for _, crowded := range []lane{change, mint, check, background} {
		for _, own := range []lane{revocation, change} {
			if own == crowded {
				continue
			}
			t.Run(fmt.Sprint(crowded, own), func(t *testing.T) {
				stubbed(t, 2, func(t *testing.T, b *stub) {
					b.crowd(crowded)
					b.crowd(mint) // as ever, when something is wrong
					c := b.apart(map[lane]Lane{revocation: b.Revocations(), change: b.Changes()}[own], "key")
					b.finish(1) // what ran
					waited := 1
					for ; !c.done && waited < 4; waited++ {
						b.finish(1)
					}
					if !c.done || c.err != nil || !c.ok {
						t.Errorf("after %d runs it is %+v", waited, c)
					}
					if own == revocation && waited != 2 {
						t.Errorf("a revocation was not next: %d runs", waited)
					}
					close(b.end)
				})
			})
		}
	}
}

func TestRevocationsComeFirstAndInOrder(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.mint("m0", 8)
		b.mint("m1", 8)
		b.check("c0", "")
		b.apart(b.Changes(), "ch0")
		b.apart(b.Revocations(), "r0")
		b.apart(b.Revocations(), "r1")
		b.rehash("b0")
		b.finish(7)
		b.wantStarts("m0 r0 r1 c0 ch0 m1 b0")
		b.wantIdle()
	})
}

// One that waits behind a thousand checks of the same key would be no lane apart.
func TestARevocationJoinsNoCheckOfTheSameKey(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.mint("m0", 8)
		b.check("other", "")
		b.check("key", "key")
		first := b.apart(b.Revocations(), "key")
		second := b.apart(b.Revocations(), "key")
		b.finish(2)
		if !first.ok || !second.ok {
			t.Errorf("%+v, %+v", first, second)
		}
		b.wantStarts("m0 key other")
		b.finish(2)
		b.wantIdle()
	})
}

func TestOneKeysRotationsLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		places := change.queuePerSlot() / 4
		rotate := func(id, text string) *call {
			return b.start(func(ctx context.Context) (bool, error) {
				phc, err := b.Changes().Sum(ctx, id, rand.Reader, small(8), text)
				return !phc.None(), err
			})
		}
		for i := range change.queuePerSlot() {
			if c := rotate("x", fmt.Sprint("x", i)); c.done != (i > places) || c.done && c.err != ErrBusy {
				t.Fatalf("rotation %d, of %d that may wait: %+v", i, places, c)
			}
		}
		other := rotate("y", "y")
		b.finish(places + 2)
		if !other.ok {
			t.Errorf("the other's rotation: %+v", other)
		}
		b.wantIdle()
	})
}
