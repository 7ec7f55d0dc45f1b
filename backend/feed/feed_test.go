package feed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-apikeys/backend/record"
	"vault-plugin-secrets-apikeys/backend/wire"
)

func TestAPollIsToldOfEverythingSinceItsCursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.revoke("before the first poll")
	g := w.gate("edge")
	if again := g.ask(0); again.Reset || len(again.Changes) != 0 || again.More {
		t.Errorf("of nothing it was told %+v", again)
	}
	w.revoke("a", "b", "a")
	w.feed.Tell(wire.RoleKind, "web")
	w.feed.Mention(wire.KeyKind, "c")
	before := g.poll.Cursor
	if got := g.ask(0); got.Reset || !slices.Equal(got.Changes, []string{"key:a", "key:b", "role:web", "key:c"}) {
		t.Errorf("it was told %+v", got)
	}
	if newest := w.feed.Cursor(); g.poll.Cursor != newest {
		t.Errorf("it goes on from %s, the newest is %s", g.poll.Cursor, newest)
	}
	g.poll.Cursor = before // an answer that was lost
	if got := g.ask(0); len(got.Changes) != 4 {
		t.Errorf("asked again it was told %+v", got)
	}
}

// Whatever the cursor is, the answer holds all that changed since, or is a reset.
func TestACursorThatIsNotKnownIsAReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := w.gate("edge")
	w.revoke("a", "b")
	newest, ok := wire.ParseCursor(w.feed.Cursor())
	if !ok || newest.Sequence != 2 || newest.Term != 7 {
		t.Fatalf("the newest cursor is %v", newest)
	}
	changed := func(change func(c *wire.Cursor)) string {
		c := newest
		change(&c)
		return c.String()
	}
	other := &world{T: t, term: 6}
	other.feed = other.process()
	other.gate("edge")
	for name, cursor := range map[string]string{
		"none":                          "",
		"no cursor":                     "7.1",
		"of an older term":              changed(func(c *wire.Cursor) { c.Term-- }),
		"of a newer term":               changed(func(c *wire.Cursor) { c.Term++ }),
		"of another process":            other.feed.Cursor(),
		"of a term that came back":      changed(func(c *wire.Cursor) { c.Suffix = strings.Repeat("0", wire.SuffixLength) }),
		"ahead":                         changed(func(c *wire.Cursor) { c.Sequence++ }),
		"far ahead":                     changed(func(c *wire.Cursor) { c.Sequence = 1<<64 - 1 }),
		"the newest, with something on": newest.String() + " ",
	} {
		g.poll.Cursor = cursor
		begun := time.Now()
		if got := g.ask(wire.MaxWait * time.Millisecond); !got.Reset || len(got.Changes) > 0 || got.More || got.Cursor != newest.String() {
			t.Errorf("%s: %+v", name, got)
		}
		if time.Since(begun) > time.Second {
			t.Errorf("%s: a reset waits", name)
		}
	}
}

func TestWhatTheRingDoesNotHoldIsAReset(t *testing.T) {
	t.Parallel()
	const size = 65536
	w := newWorld(t)
	g := w.gate("edge")
	beginning := g.poll.Cursor
	for n := range size {
		w.feed.Tell(wire.KeyKind, fmt.Sprint(n))
	}
	var heard []string
	for more := true; more; {
		answer := g.ask(0)
		if answer.Reset || len(answer.Changes) > wire.MaxChanges {
			t.Fatalf("%d changes, reset: %t", len(answer.Changes), answer.Reset)
		}
		heard, more = append(heard, answer.Changes...), answer.More
	}
	for n, change := range heard {
		if change != fmt.Sprint("key:", n) {
			t.Fatalf("change %d is %s", n, change)
		}
	}
	if len(heard) != size {
		t.Errorf("it heard of %d changes", len(heard))
	}
	w.revoke("one more")
	if last := g.ask(0); !slices.Equal(last.Changes, []string{"key:one more"}) {
		t.Errorf("it was told %+v", last)
	}
	g.poll.Cursor = beginning
	if late := g.ask(0); !late.Reset {
		t.Error("who is behind the ring is told of a part")
	}
}

func TestAResetLeavesNothingConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g, slow := w.gate("edge"), w.gate("slow")
		w.revoke("a")
		g.ask(0)
		answer := g.later(time.Second)
		synctest.Wait()
		w.feed.Reset()
		if got, took := answer(); !got.Reset || took > 20*time.Millisecond {
			t.Errorf("a parked poll was answered %+v after %v", got, took)
		}
		if got := slow.ask(0); !got.Reset {
			t.Errorf("another was answered %+v", got)
		}
		w.revoke("b")
		if got := g.ask(0); got.Reset || !slices.Equal(got.Changes, []string{"key:b"}) {
			t.Errorf("then it was told %+v", got)
		}
	})
}

// No feed is better than one that cannot be told from its predecessor.
func TestWithoutATermThereIsNoFeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.revoke("a")
	w.feed.Reset()
	if w.term != 6 || w.feed.Cursor() != "" {
		t.Error("without gates a term was raised")
	}
	w.trouble = errDisk
	for range 2 {
		if _, err := w.feed.Poll(t.Context(), wire.Poll{Gate: "edge", Run: "r"}); !errors.Is(err, errDisk) || w.feed.Cursor() != "" {
			t.Errorf("it answered %v", err)
		}
	}
	w.trouble = nil
	g := w.gate("edge")
	first := g.poll.Cursor
	w.gate("other")
	if w.term != 7 {
		t.Errorf("the term is %d", w.term)
	}
	w.feed = w.process()
	if got := g.ask(0); !got.Reset || w.term != 8 || got.Cursor == first {
		t.Errorf("the next process answered %+v", got)
	}
}

func TestOnlyTheNodeThatMayWriteTellsOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		turn := func(standby bool) { w.mu.Lock(); defer w.mu.Unlock(); w.standby = standby }
		ask := func() error {
			if _, err := w.feed.Gates(); !errors.Is(err, record.ErrElsewhere) {
				t.Errorf("gates answered %v", err)
			}
			if _, _, err := w.feed.Gate("edge"); !errors.Is(err, record.ErrElsewhere) {
				t.Errorf("a gate answered %v", err)
			}
			_, err := w.feed.Poll(t.Context(), wire.Poll{Gate: "edge", Run: "r"})
			return err
		}
		if turn(true); !errors.Is(ask(), record.ErrElsewhere) || w.term != 6 {
			t.Error("a node that may not write tells of changes")
		}
		turn(false)
		g := w.gate("edge")
		g.poll.Wait = 1000
		failed := make(chan error)
		go func() {
			_, err := w.feed.Poll(t.Context(), g.poll)
			failed <- err
		}()
		synctest.Wait()
		if turn(true); !errors.Is(<-failed, record.ErrElsewhere) {
			t.Error("one that may not write any more tells of changes")
		}
	})
}

func TestAPollEndsWithItsCallerAndWithTheMount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		g := w.gate("edge")
		g.poll.Wait = wire.MaxWait
		begun, failed := time.Now(), make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		ask := func(ctx context.Context) {
			_, err := w.feed.Poll(ctx, g.poll)
			failed <- err
		}
		go ask(ctx)
		go ask(t.Context())
		synctest.Wait()
		if cancel(); !errors.Is(<-failed, context.Canceled) {
			t.Error("a poll outlives its caller")
		}
		w.feed.Stop()
		w.feed.Stop()
		var busy record.Busy
		if !errors.As(<-failed, &busy) {
			t.Error("a poll outlives the mount")
		}
		for _, wait := range []int64{0, 1000} {
			g.poll.Wait = wait
			go ask(t.Context())
			if !errors.As(<-failed, &busy) {
				t.Error("after the mount's end a poll is answered")
			}
		}
		if time.Since(begun) != 0 {
			t.Errorf("it took %v", time.Since(begun))
		}
	})
}
