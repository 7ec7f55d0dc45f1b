// Package races tries what meets at the same time.
package races

import (
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/trials/mount"
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

func raceMount(t *testing.T) *mount.Mount {
	m := mount.New(t)
	m.Must("roles/web", map[string]any{"generate_lease": false, "grace_period": "1h"})
	return m
}
