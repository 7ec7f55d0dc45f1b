package feed_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/wire"
)

// asking is a poll that does not wait, and what it was answered.
func (w *world) asking(ctx context.Context, name string) <-chan error {
	answered := make(chan error, 1)
	go func() {
		_, err := w.feed.Poll(ctx, wire.Poll{Gate: name, Run: "r"})
		answered <- err
	}()
	synctest.Wait()
	return answered
}

func TestAPollThatDoesNotWaitIsAnsweredOnceAWriteHasSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gate("edge")
		before := w.proofs
		g.ask(time.Second)
		w.revoke("a")
		g.ask(time.Second)
		if w.proofs != before {
			t.Error("one that waits costs a write")
		}
		w.hold = func() { time.Sleep(300 * time.Millisecond); w.revoke("b") }
		if got := g.ask(0); w.proofs != before+1 || got.Waited >= 300 || len(got.Changes) != 1 || got.Reset {
			t.Errorf("it was answered %+v with %d proofs", got, w.proofs-before)
		}
		for _, trouble := range []error{errDisk, context.DeadlineExceeded} {
			w.trouble, w.hold = trouble, nil
			if _, err := w.feed.Poll(t.Context(), g.poll); !errors.Is(err, trouble) {
				t.Errorf("where nothing can be written it was answered %v", err)
			}
			if got, err := w.feed.Poll(t.Context(), wire.Poll{Gate: "edge", Run: "r", Wait: 1, Cursor: g.poll.Cursor}); err != nil || len(got.Changes) > 0 {
				t.Errorf("one that waits was answered %+v, %v", got, err)
			}
		}
	})
}

// However many ask, there is one write at a time; and it is of no use to whoever came when
// it was under way.
func TestOneWriteProvesItToAllWhoCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate("edge")
		w.proofs, w.hold = 0, func() { time.Sleep(time.Second) }
		var all []<-chan error
		for n := range 1000 {
			all = append(all, w.asking(t.Context(), fmt.Sprint("gate-", n)))
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if len(all[0]) != 1 || len(all[1]) != 0 || w.proofs != 2 {
			t.Errorf("who came during a write is answered by it, or %d were made", w.proofs)
		}
		time.Sleep(time.Second)
		for n, answered := range all {
			if err := <-answered; err != nil {
				t.Errorf("poll %d was answered %v", n, err)
			}
		}
		if w.proofs != 2 {
			t.Errorf("1000 polls cost %d writes", w.proofs)
		}
	})
}

func TestWhoHangsUpProvesItToTheOthersAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate("edge")
		w.proofs, w.hold = 0, func() { time.Sleep(time.Second) }
		busy := w.asking(t.Context(), "first")
		impatient, hangUp := context.WithCancel(t.Context())
		gone := w.asking(impatient, "impatient")
		stays := w.asking(t.Context(), "stays")
		hangUp()
		if err := <-gone; !errors.Is(err, context.Canceled) || len(stays) > 0 {
			t.Errorf("who hung up was answered %v", err)
		}
		if err := errors.Join(<-busy, <-stays); err != nil || w.proofs != 2 {
			t.Errorf("the others were answered %v with %d proofs", err, w.proofs)
		}
		w.asking(t.Context(), "first")
		impatient, hangUp = context.WithCancel(t.Context())
		for n := range 20 { // one of them writes
			w.asking(impatient, fmt.Sprint("impatient-", n))
		}
		stays = w.asking(t.Context(), "stays")
		time.Sleep(1500 * time.Millisecond)
		hangUp()
		if err := <-stays; err != nil {
			t.Errorf("after the one hung up who wrote the proof another was answered %v", err)
		}
	})
}

// A proof whose write panics, or outlives the mount, proves nothing and holds up nobody.
func TestAProofThatComesToNothingHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.gate("edge")
		w.hold = func() { panic("storage") }
		func() {
			defer func() { _ = recover() }()
			_, _ = w.feed.Poll(t.Context(), wire.Poll{Gate: "edge", Run: "r"})
			t.Error("a panic was answered")
		}()
		w.proving, w.hold = 0, func() { time.Sleep(time.Second) }
		written := w.asking(t.Context(), "edge")
		waits := w.asking(t.Context(), "edge")
		w.feed.Stop()
		if err := <-waits; err == nil || len(written) > 0 {
			t.Error("at the end of the mount it waits for a proof, or has one")
		}
		if <-written == nil {
			t.Error("what ended is believed")
		}
	})
}
