package store

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// queue takes the lock of "n" in the background, one after the other, and notes
// in which order they get it.
type queue struct {
	locks locks
	mu    sync.Mutex
	got   []string
}

func (q *queue) wait(name string, how hold) (release func()) {
	released := make(chan struct{})
	go func() {
		defer q.locks.hold("n", how)()
		q.mu.Lock()
		q.got = append(q.got, name)
		q.mu.Unlock()
		<-released
	}()
	synctest.Wait()
	return func() { close(released); synctest.Wait() }
}

func (q *queue) want(t *testing.T, names ...string) {
	t.Helper()
	if !slices.Equal(q.got, names) {
		t.Errorf("%q got it, want %q", q.got, names)
	}
}

func TestLocksServeInOrderButForWhatIsUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{}
		first := q.wait("first", shared)
		beside := q.wait("beside", shared)
		change := q.wait("change", alone)
		late := q.wait("late", shared) // else a change never had its turn
		later := q.wait("later", shared)
		stop := q.wait("stop", urgent)
		again := q.wait("again", urgent)
		q.want(t, "first", "beside")
		first()
		q.want(t, "first", "beside")
		beside()
		q.want(t, "first", "beside", "stop")
		stop()
		again()
		q.want(t, "first", "beside", "stop", "again", "change")
		change()
		slices.Sort(q.got[5:]) // these two share it
		q.want(t, "first", "beside", "stop", "again", "change", "late", "later")
		late()
		later()
		if len(q.locks.held) != 0 {
			t.Errorf("%d locks are left", len(q.locks.held))
		}
	})
}

func TestNoNameWaitsForAnother(t *testing.T) {
	t.Parallel()
	var l locks
	for i := range 10_000 {
		defer l.hold(string(rune('a'+i)), alone)()
	}
	if len(l.held) != 10_000 {
		t.Errorf("%d locks are held", len(l.held))
	}
}

func TestOneAtATimeHoldsALockAlone(t *testing.T) {
	t.Parallel()
	var l locks
	var group sync.WaitGroup
	readers, writers, n := 0, 0, 0
	var mu sync.Mutex
	for i := range 200 {
		group.Go(func() {
			how := hold(i % 3)
			defer l.hold("n", how)()
			mu.Lock()
			if how == shared {
				readers++
			} else {
				writers++
			}
			if writers > 1 || writers == 1 && readers > 0 {
				t.Errorf("%d hold it alone beside %d", writers, readers)
			}
			n++
			mu.Unlock()
			mu.Lock()
			if how == shared {
				readers--
			} else {
				writers--
			}
			mu.Unlock()
		})
	}
	group.Wait()
	if n != 200 || len(l.held) != 0 {
		t.Errorf("%d had it, %d locks are left", n, len(l.held))
	}
}
