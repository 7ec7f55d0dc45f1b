package memory

import (
	"slices"
	"strings"
)

// What a test does with storage behind the back of whoever uses it: no hook sees it,
// and it is not noted.

// Plant puts an entry there.
func (s *Storage) Plant(path, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(path, []byte(value))
}

// Lose takes an entry away.
func (s *Storage) Lose(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unset(path)
}

// Holds is an entry's value, "" where there is none.
func (s *Storage) Holds(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.entries[path])
}

// Paths are those of all entries, sorted.
func (s *Storage) Paths() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paths)
}

// Writes is how many calls were made that change something, failed ones included.
func (s *Storage) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Noted are the calls of these methods, or all, since it was last asked, as
// 'get role/web'. To ask for the first time begins it.
func (s *Storage) Noted(methods ...string) (calls []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.noted {
		if method, _, _ := strings.Cut(line, " "); len(methods) == 0 || slices.Contains(methods, method) {
			calls = append(calls, line)
		}
	}
	s.noting, s.noted = true, nil
	return calls
}
