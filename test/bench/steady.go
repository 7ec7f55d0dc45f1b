package main

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// steadily sends requests at an even rate for a time, whatever becomes of them, and
// answers their latencies in order of size. Each counts from the moment at which it
// was due, and so with what it waited for one of the callers to be free.
//
// A thread of its own tells when one is due: Go's timers are late by as much as a
// millisecond where nothing else runs.
func (s *site) steadily(r *rival, of crowded, rate float64, lasting time.Duration) []time.Duration {
	asking := r.dial(callers)
	defer s.leave(asking)
	count := int(rate * lasting.Seconds())
	gap := time.Duration(float64(time.Second) / rate)
	due := make(chan time.Time, count)
	took := make([][]time.Duration, len(asking))
	failed := make(chan error, len(asking))
	var group sync.WaitGroup
	for i, a := range asking {
		group.Go(func() {
			next := of.pick(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
			for at := range due {
				if err := a.ask(&of.holders[next()]); err != nil {
					failed <- err
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	group.Go(func() {
		defer close(due)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		begun := time.Now()
		for i := range count {
			at := begun.Add(time.Duration(i) * gap)
			if left := time.Until(at); left > 0 {
				pause := syscall.NsecToTimespec(int64(left))
				_ = syscall.Nanosleep(&pause, nil) // woken early it is early by little
			}
			due <- at
		}
	})
	group.Wait()
	select {
	case err := <-failed:
		s.t.Fatalf("%s: %v", r.name, err)
	default:
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return all
}
