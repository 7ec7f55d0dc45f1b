package feed_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/backend/feed"
	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

var errDisk = errors.New("disk trouble")

// world is the node that a feed stands on.
type world struct {
	*testing.T
	feed *feed.Feed

	mu      sync.Mutex
	term    uint64
	trouble error // of writing a term
	standby bool
	proofs  int    // that were begun
	proving int    // that are being written
	hold    func() // takes the time that the write of one takes
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, term: 6}
	w.feed = w.process()
	return w
}

// process is a feed as another process begins it on the same storage.
func (w *world) process() *feed.Feed {
	return feed.New(w, w, rand.Reader, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return !w.standby })
}

func (w *world) NextTerm(context.Context, record.Time, string) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trouble != nil {
		return 0, w.trouble
	}
	w.term++
	return w.term, nil
}

func (w *world) HoldTerm(ctx context.Context, number uint64, suffix string) error {
	w.mu.Lock()
	w.proofs++
	if w.proving++; w.proving > 1 {
		w.Error("two proofs are written at a time")
	}
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		hold()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proving--
	return cmp.Or(w.trouble, ctx.Err())
}

func (w *world) Now() record.Time { return record.Time(time.Now().Unix()) }

func (w *world) Until(t record.Time) time.Duration { return time.Until(time.Unix(int64(t), 0)) }

// gate is a gate that polls.
type gate struct {
	*world
	poll wire.Poll
}

// gate is one that knows the newest cursor.
func (w *world) gate(name string) *gate {
	w.Helper()
	g := &gate{w, wire.Poll{Gate: name, Run: name + ".1", Nonce: "n"}}
	if answer := g.ask(0); !answer.Reset || len(answer.Changes) > 0 {
		w.Errorf("the first answer is %+v", answer)
	}
	return g
}

// ask polls and goes on from the answer.
func (g *gate) ask(wait time.Duration) wire.Changes {
	g.Helper()
	g.poll.Wait = wait.Milliseconds()
	answer, err := g.feed.Poll(g.Context(), g.poll)
	if err != nil || answer.Nonce != g.poll.Nonce {
		g.Errorf("the poll was answered %+v, %v", answer, err)
	}
	g.poll.Cursor = answer.Cursor
	return answer
}

// later is the answer to a poll that waits, and after how long it came.
func (g *gate) later(wait time.Duration) func() (wire.Changes, time.Duration) {
	begun, answered := time.Now(), make(chan wire.Changes, 1)
	var took time.Duration
	go func() {
		answer := g.ask(wait)
		took = time.Since(begun)
		answered <- answer
	}()
	return func() (wire.Changes, time.Duration) { return <-answered, took }
}

// revoke tells of the end of keys.
func (w *world) revoke(ids ...string) {
	for _, id := range ids {
		w.feed.Tell(wire.KeyKind, id)
	}
}
