package keyhash

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const second = time.Second

// A stub is a hasher whose computations take an hour, or until the test ends
// one, and are written down in the order of their start.
type stub struct {
	*Hasher
	t *testing.T

	mu      sync.Mutex
	started []string
	running int
	most    int
	end     chan struct{}
}

func newStub(t *testing.T, cores int) *stub {
	b := &stub{Hasher: NewHasher(cores), t: t, end: make(chan struct{})}
	b.argon2 = func(text, salt []byte, _, _ uint32, _ uint8, length uint32) []byte {
		b.mu.Lock()
		b.started = append(b.started, string(text))
		b.running++
		b.most = max(b.most, b.running)
		b.mu.Unlock()
		if string(text) == "panic" {
			panic(fmt.Sprintf("hashing %s with %s", text, salt))
		}
		<-b.end
		b.mu.Lock()
		b.running--
		b.mu.Unlock()
		return []byte(fmt.Sprintf("%-*.*s", length, length, text))
	}
	return b
}

// stubbed runs a test with a stub, in fake time.
func stubbed(t *testing.T, cores int, test func(t *testing.T, b *stub)) {
	synctest.Test(t, func(t *testing.T) { test(t, newStub(t, cores)) })
}

// finish ends n computations, one after the other.
func (b *stub) finish(n int) {
	b.t.Helper()
	for range n {
		synctest.Wait()
		b.end <- struct{}{}
	}
	synctest.Wait()
}

func (b *stub) starts() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.started, " ")
}

func (b *stub) wantStarts(want string) {
	b.t.Helper()
	synctest.Wait()
	if got := b.starts(); got != want {
		b.t.Errorf("started %q, want %q", got, want)
	}
}

// A call is a Sum, Match or Rehash that is under way.
type call struct {
	ok     bool
	err    error
	after  time.Duration
	done   bool
	cancel context.CancelFunc
}

func (b *stub) start(f func(ctx context.Context) (bool, error)) *call {
	c, begin := &call{}, time.Now()
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(b.t.Context())
	go func() {
		c.ok, c.err = f(ctx)
		c.after, c.done = time.Since(begin), true
	}()
	synctest.Wait() // calls stand in line in the order in which a test makes them
	return c
}

func small(memoryKiB uint32) Params {
	return Params{MemoryKiB: memoryKiB, Iterations: 1, Parallelism: 1}
}

func (b *stub) mint(text string, memoryKiB uint32) *call {
	return b.start(func(ctx context.Context) (bool, error) {
		phc, err := b.Sum(ctx, rand.Reader, small(memoryKiB), text)
		return !phc.None(), err
	})
}

func (b *stub) rehash(text string) *call {
	return b.start(func(ctx context.Context) (bool, error) {
		phc, err := b.Rehash(ctx, rand.Reader, small(8), text)
		return !phc.None(), err
	})
}

// check presents text as a key whose hash is that of right.
func (b *stub) check(text, right string) *call { return b.match(b.Hasher.Match, text, right) }

// apart presents text, which is right, in a lane apart.
func (b *stub) apart(l Lane, text string) *call { return b.match(l.Match, text, text) }

func (b *stub) match(match func(context.Context, PHC, string) (bool, error), text, right string) *call {
	h := decoded{params: small(8)}
	copy(h.hash[:], fmt.Sprintf("%-32s", right))
	return b.start(func(ctx context.Context) (bool, error) { return match(ctx, Stored(h.encode()), text) })
}

func (b *stub) wantIdle() {
	b.t.Helper()
	synctest.Wait()
	wantIdle(b.t, &b.slots)
}

func wantIdle(t *testing.T, s *slots) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.waiting {
		if len(s.waiting[l]) != 0 {
			t.Errorf("lane %d is not empty", l)
		}
	}
	if s.running != 0 || s.memoryKiB != 0 || len(s.shared) != 0 {
		t.Errorf("%d runs, %d KiB, %d shared are left", s.running, s.memoryKiB, len(s.shared))
	}
}
