package vaultside

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-apikeys/backend/edge"
)

// silences are the paths at which Vault does not answer, and when that was said last:
// each of them is asked at every second, and the log is not to be filled with it.
type silences struct {
	mu   sync.Mutex
	said map[string]time.Time
}

const (
	// maxSilences bounds how many are told apart: a role may be named by whoever asks.
	maxSilences = 256
	// sayAgain is after how long it is said again.
	sayAgain = time.Minute
)

// tell logs that a path is silent, once a minute.
func (s *silences) tell(log hclog.Logger, mount, path string, err error) {
	if errors.Is(err, context.Canceled) || !s.due(path) {
		return
	}
	if errors.Is(err, edge.ErrDenied) {
		log.Error("vault denies what the gate asks: its token has ended, or its policies lack this path of the mount; -check prints those that it needs", "mount", mount, "path", path)
		return
	}
	log.Warn("vault does not answer what the gate asks", "path", path, "error", err)
}

func (s *silences) due(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, known := s.said[path]; known && time.Since(last) < sayAgain {
		return false
	}
	if len(s.said) >= maxSilences { // what may be said again need not be known
		maps.DeleteFunc(s.said, func(_ string, last time.Time) bool { return time.Since(last) >= sayAgain })
	}
	if len(s.said) >= maxSilences {
		return false
	}
	if s.said == nil {
		s.said = make(map[string]time.Time)
	}
	s.said[path] = time.Now()
	return true
}

// end forgets that a path was silent.
func (s *silences) end(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.said, path)
}
