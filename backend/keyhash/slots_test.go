package keyhash

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNeverMoreRunsThanSlots(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cores     int
		memoryKiB uint32
		most      int
	}{
		{-1, 8, 1}, {0, 8, 1}, {1, 8, 1}, {2, 8, 1}, {3, 8, 2}, {8, 8, 7}, {8, 19456, 7},
		{64, 19456, 13}, {64, 65536, 4}, {8, 131072, 2}, {8, 131073, 1}, {8, MaxMemoryKiB, 1}, {2, MaxMemoryKiB, 1},
	} {
		stubbed(t, c.cores, func(t *testing.T, b *stub) {
			for i := range 20 {
				b.mint(fmt.Sprint(i), c.memoryKiB)
			}
			b.finish(20)
			if b.most != c.most {
				t.Errorf("%d cores, %d KiB: %d at once, want %d", c.cores, c.memoryKiB, b.most, c.most)
			}
			b.wantIdle()
		})
	}
}

func TestARunWeighsItsOwnMemory(t *testing.T) {
	t.Parallel()
	stubbed(t, 16, func(t *testing.T, b *stub) {
		b.mint("half", MaxMemoryKiB/2)
		b.mint("quarter", MaxMemoryKiB/4)
		b.mint("whole", MaxMemoryKiB)
		b.mint("tiny", 8)
		// There is room for tiny, but it must not pass by the one before it.
		b.wantStarts("half quarter")
		b.finish(1)
		b.wantStarts("half quarter")
		b.finish(1)
		b.wantStarts("half quarter whole")
		b.finish(1)
		b.wantStarts("half quarter whole tiny")
		b.finish(1)
		b.wantIdle()
	})
}

func TestALargeRunThatGivesUpLetsTheSmallOnesStart(t *testing.T) {
	t.Parallel()
	stubbed(t, 16, func(t *testing.T, b *stub) {
		b.mint("half", MaxMemoryKiB/2)
		whole := b.mint("whole", MaxMemoryKiB)
		b.mint("tiny", 8)
		whole.cancel()
		b.wantStarts("half tiny")
		b.finish(2)
		b.wantIdle()
	})
}

func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.mint("m0", 8)
		calls := map[time.Duration]*call{
			2 * second: b.check("c0", ""), 10 * second: b.mint("m1", 8), 60 * second: b.rehash("b0"),
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for bound, c := range calls {
			if !c.done || c.err != ErrBusy || c.after != bound {
				t.Errorf("after %v: %+v", bound, c)
			}
		}
		b.finish(1)
		b.wantStarts("m0")
		b.wantIdle()
	})
}

func TestWhatHasBegunIsWaitedFor(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		c := b.check("k", "k")
		time.Sleep(time.Minute)
		b.finish(1)
		if !c.done || !c.ok || c.err != nil || c.after != time.Minute {
			t.Errorf("got %+v", c)
		}
	})
}

func TestHangingUpLeavesTheQueueButKeepsTheSlot(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		begun, waiting, next := b.mint("m0", 8), b.mint("m1", 8), b.mint("m2", 8)
		for _, c := range []*call{begun, waiting} {
			c.cancel()
			synctest.Wait()
			if !c.done || c.err != context.Canceled {
				t.Errorf("got %+v", c)
			}
		}
		time.Sleep(second)
		b.wantStarts("m0") // nobody listens to it, and nothing starts beside it
		b.finish(1)
		b.wantStarts("m0 m2")
		b.finish(1)
		if !next.ok {
			t.Errorf("the next: %+v", next)
		}
		b.wantIdle()
	})
}

func TestAnEndedContextComputesNothing(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		ctx, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		time.Sleep(2 * second)
		if _, err := b.Match(ctx, Stored(vectors[0].phc), "k"); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		b.wantStarts("")
	})
}

func TestAPanicIsAnErrorThatTellsNothing(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		c := b.check("panic", "panic")
		if c.ok || c.err != errComputation {
			t.Errorf("got %+v", c)
		}
		b.running = 0 // the stub's own count
		b.wantIdle()
		b.mint("m0", 8)
		b.wantStarts("panic m0")
		b.finish(1)
	})
}

func TestNoPrinterSeesWhatWaits(t *testing.T) {
	t.Parallel()
	stubbed(t, 2, func(t *testing.T, b *stub) {
		b.check("s3cret", "s3cret")
		b.check("s3cret2", "s3cret")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			b.slots.mu.Lock()
			out := fmt.Sprintf(verb, b.Hasher)
			b.slots.mu.Unlock()
			if strings.Contains(out, "s3cret") {
				t.Errorf("%s shows what is hashed", verb)
			}
		}
		b.finish(2)
	})
}

// Many callers of all kinds, who give up at random: afterwards nothing is left
// and nothing was computed beside the slots.
func TestAnythingGoesAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	h := NewHasher(4)
	var mu sync.Mutex
	running, most := 0, 0
	h.argon2 = func(text, _ []byte, _, memoryKiB uint32, _ uint8, length uint32) []byte {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		time.Sleep(time.Duration(memoryKiB) * time.Microsecond)
		mu.Lock()
		running--
		mu.Unlock()
		return []byte(fmt.Sprintf("%-*s", length, text))
	}
	stored := decoded{params: small(64)}
	copy(stored.hash[:], fmt.Sprintf("%-32s", "key 1"))
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*time.Millisecond)
			defer cancel()
			var err error
			switch i % 4 {
			case 0:
				_, err = h.Sum(ctx, rand.Reader, small(uint32(8+i)), "new")
			case 1:
				_, err = h.Rehash(ctx, rand.Reader, small(8), "old")
			default:
				var ok bool
				ok, err = h.Match(ctx, Stored(stored.encode()), fmt.Sprint("key ", i%3))
				if err == nil && ok != (i%3 == 1) {
					t.Errorf("key %d is %v", i%3, ok)
				}
			}
			if err != nil && !errors.Is(err, ErrBusy) && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 200 {
		h.slots.mu.Lock()
		left := h.slots.running
		h.slots.mu.Unlock()
		if left == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	wantIdle(t, &h.slots)
	if most > 3 {
		t.Errorf("%d at once", most)
	}
}
