package backend_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// fault breaks one call of a storage, the one with number at.
type fault struct {
	at      int
	kind    kind
	effect  bool // the call takes effect before it fails
	cancel  context.CancelFunc
	mu      sync.Mutex
	calls   []call
	striked bool
}

// kind is how a call fails.
type kind string

const (
	none     kind = "no fault"
	once     kind = "an error"
	outage   kind = "an error, and all later calls fail"
	canceled kind = "the client hangs up"
	panicked kind = "a panic"
)

var errStorage = errors.New("storage is out of order")

func (f *fault) String() string {
	when := "before"
	if f.effect {
		when = "after"
	}
	at := "a call that never came"
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at < len(f.calls) {
		at = f.calls[f.at].String()
	}
	return fmt.Sprintf("%s, %s call %d (%s) took effect", f.kind, when, f.at, at)
}

func (f *fault) around(_ context.Context, c call, effect func()) error {
	f.mu.Lock()
	n := len(f.calls)
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	switch {
	case f.kind == none || n < f.at || n > f.at && f.kind != outage:
		effect()
		return nil
	case n > f.at:
		return errStorage
	}
	f.mu.Lock()
	f.striked = true
	f.mu.Unlock()
	if f.effect {
		effect()
	}
	switch f.kind {
	case canceled:
		f.cancel()
		return context.Canceled
	case panicked:
		panic("storage panics with " + c.path)
	default:
		return errStorage
	}
}

// broken is the call that failed. Background work may be calling meanwhile.
func (f *fault) broken() call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[f.at]
}

// struck tells whether the call that was to fail came.
func (f *fault) struck() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.striked
}

// made are the calls so far.
func (f *fault) made() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}
