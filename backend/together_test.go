package backend_test

import (
	"sync"
	"testing"
)

// together runs all of them at the same time and waits.
func together(work ...func()) {
	var ready, done sync.WaitGroup
	ready.Add(len(work))
	for _, w := range work {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			w()
		})
	}
	done.Wait()
}

// rounds is how often each pair of operations meets.
const rounds = 300

func raceMount(t *testing.T) *mount {
	m := newMount(t)
	m.must("roles/web", map[string]any{"generate_lease": false, "grace_period": "1h"})
	return m
}

func (m *mount) code(text string) string {
	m.t.Helper()
	return m.must("verify", map[string]any{"key": text}).str("code")
}
