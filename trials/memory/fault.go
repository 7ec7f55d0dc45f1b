package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Fault breaks one call of a storage, the one with number at.
type Fault struct {
	At      int
	Kind    Kind
	Effect  bool // the call takes effect before it fails
	Cancel  context.CancelFunc
	mu      sync.Mutex
	calls   []Call
	striked bool
}

// Kind is how a call fails.
type Kind string

// A fault is of one of these kinds.
const (
	None     Kind = "no fault"
	Once     Kind = "an error"
	Outage   Kind = "an error, and all later calls fail"
	Canceled Kind = "the client hangs up"
	Panicked Kind = "a panic"
)

// ErrStorage is what a call answers that a fault has broken.
var ErrStorage = errors.New("storage is out of order")

func (f *Fault) String() string {
	when := "before"
	if f.Effect {
		when = "after"
	}
	at := "a call that never came"
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.At < len(f.calls) {
		at = f.calls[f.At].String()
	}
	return fmt.Sprintf("%s, %s call %d (%s) took effect", f.Kind, when, f.At, at)
}

// Around is the hook that breaks the call.
func (f *Fault) Around(_ context.Context, c Call, effect func()) error {
	f.mu.Lock()
	n := len(f.calls)
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	switch {
	case f.Kind == None || n < f.At || n > f.At && f.Kind != Outage:
		effect()
		return nil
	case n > f.At:
		return ErrStorage
	}
	f.mu.Lock()
	f.striked = true
	f.mu.Unlock()
	if f.Effect {
		effect()
	}
	switch f.Kind {
	case Canceled:
		f.Cancel()
		return context.Canceled
	case Panicked:
		panic("storage panics with " + c.Path)
	default:
		return ErrStorage
	}
}

// Broken is the call that failed. Background work may be calling meanwhile.
func (f *Fault) Broken() Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[f.At]
}

// Struck tells whether the call that was to fail came.
func (f *Fault) Struck() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.striked
}

// Made are the calls so far.
func (f *Fault) Made() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Fail says of a call whether it fails, and with what.
type Fail func(method, path string) error

// On fails the calls of a method on paths that begin so.
func On(method, prefix string, err error) Fail {
	return func(m, path string) error {
		if m == method && strings.HasPrefix(path, prefix) {
			return err
		}
		return nil
	}
}

// Before is a hook that fails calls before they take effect; nil is none.
func Before(fail Fail) Intercept {
	if fail == nil {
		return nil
	}
	return func(_ context.Context, c Call, effect func()) error {
		if err := fail(c.Method, c.Path); err != nil {
			return err
		}
		effect()
		return nil
	}
}

// After is a hook that fails calls when they have taken effect; nil is none.
func After(fail Fail) Intercept {
	if fail == nil {
		return nil
	}
	return func(_ context.Context, c Call, effect func()) error {
		effect()
		return fail(c.Method, c.Path)
	}
}
