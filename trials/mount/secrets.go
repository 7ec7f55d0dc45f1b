package mount

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-apikeys/backend/apikey"
)

// Secrets remembers the secret part of every key that was shown, to look for it
// where it must not be.
type Secrets struct {
	mu   sync.Mutex
	seen []string
}

// recentSecrets bounds what is looked for: the search is for leaks of a kind, not
// of every key.
const recentSecrets = 64

// Add remembers the secret part of a key's text.
func (s *Secrets) Add(text string) {
	if text == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == recentSecrets {
		s.seen = s.seen[1:]
	}
	s.seen = append(s.seen, secretOf(text))
}

// MustNotAppear fails the test where a secret, or a slice of one, is in the text.
func (s *Secrets) MustNotAppear(t *testing.T, where, text string) {
	t.Helper()
	s.mu.Lock()
	seen := slices.Clone(s.seen)
	s.mu.Unlock()
	for _, secret := range seen {
		if strings.Contains(text, secret[:12]) || strings.Contains(text, secret[len(secret)-12:]) {
			t.Errorf("%s shows a key's secret", where)
			return
		}
	}
}

// secretOf is the random part of a key's text.
func secretOf(text string) string {
	end := len(text) - apikey.TagLength - apikey.CRCLength
	return text[end-apikey.SecretLength : end]
}
