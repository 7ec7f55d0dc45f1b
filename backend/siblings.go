package backend

import (
	"sync"

	"vault-plugin-secrets-apikeys/backend/upkeep"
)

// siblings are the flushers of the mounts that one process serves. The end of a
// mount may be that of the process, of which Vault tells the others nothing.
type siblings struct {
	mu   sync.Mutex
	live map[*upkeep.Flusher]bool
}

func (s *siblings) join(f *upkeep.Flusher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[f] = true
}

// leave answers those that are left.
func (s *siblings) leave(f *upkeep.Flusher) (others []*upkeep.Flusher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, f)
	for other := range s.live {
		others = append(others, other)
	}
	return others
}
