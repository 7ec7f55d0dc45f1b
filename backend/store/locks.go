package store

import (
	"slices"
	"sync"
)

// locks are locks by name. Each name has its own, for as long as anybody wants
// it: stripes would let long work on one key hold up the revocation of another.
// Whoever came first is served first, but for what is urgent.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sharing int // holders who share it; 0 while it is held alone
	waiting []waiter
}

type waiter struct {
	how  hold
	turn chan struct{} // closed when the lock is the waiter's
}

// hold says how a lock is held.
type hold int

const (
	shared hold = iota
	alone
	// urgent is alone, and before all who wait and are not urgent: an emergency
	// waits for whoever holds the lock, and not for a crowd that queues for it.
	urgent
)

// hold waits for the lock of a name. Locks of one table are never held two at a
// time.
func (l *locks) hold(name string, how hold) (release func()) {
	l.mu.Lock()
	turn := l.enter(name, how)
	l.mu.Unlock()
	if turn != nil {
		<-turn
	}
	return func() { l.release(name) }
}

// enter takes the lock, or answers with what to wait for.
func (l *locks) enter(name string, how hold) (turn chan struct{}) {
	k, taken := l.held[name]
	switch {
	case !taken:
		k = new(lock)
		if l.held == nil {
			l.held = make(map[string]*lock)
		}
		l.held[name] = k
		if how == shared {
			k.sharing = 1
		}
		return nil
	case how == shared && k.sharing > 0 && len(k.waiting) == 0:
		k.sharing++
		return nil
	}
	w := waiter{how, make(chan struct{})}
	at := len(k.waiting)
	if first := slices.IndexFunc(k.waiting, func(w waiter) bool { return w.how != urgent }); how == urgent && first >= 0 {
		at = first // who is urgent stands in front
	}
	k.waiting = slices.Insert(k.waiting, at, w)
	return w.turn
}

// release hands the lock on: to one, or to all in front who share it.
func (l *locks) release(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[name]
	if k.sharing > 1 {
		k.sharing--
		return
	}
	k.sharing = 0
	if len(k.waiting) == 0 {
		delete(l.held, name)
		return
	}
	if k.waiting[0].how != shared {
		k.serve()
		return
	}
	for len(k.waiting) > 0 && k.waiting[0].how == shared {
		k.serve()
		k.sharing++
	}
}

func (k *lock) serve() {
	close(k.waiting[0].turn)
	k.waiting = slices.Delete(k.waiting, 0, 1)
}
