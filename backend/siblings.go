package backend

import (
	"context"
	"sync"

	"vault-plugin-secrets-apikeys/backend/upkeep"
)

// sibling is a mount's flusher among those of the mounts that one process serves.
// The end of a mount may be that of the process, of which Vault tells the others
// nothing.
type sibling struct {
	*upkeep.Flusher
	all *sync.Map // the flushers that run
}

// Start starts the flusher and has the others know of it.
func (s sibling) Start(ctx context.Context) error {
	err := s.Flusher.Start(ctx)
	if err == nil {
		s.all.Store(s.Flusher, nil)
	}
	return err
}

// Stop stops the flusher, and secures those of the others: the process may end now.
func (s sibling) Stop() {
	s.all.Delete(s.Flusher)
	var stops sync.WaitGroup
	stops.Go(s.Flusher.Stop)
	s.all.Range(func(other, _ any) bool {
		stops.Go(other.(*upkeep.Flusher).Secure)
		return true
	})
	stops.Wait()
}
