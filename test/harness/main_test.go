package harness

import (
	"os"
	"testing"
)

var servers Pool

func TestMain(m *testing.M) { os.Exit(servers.Run(m, Options{Audit: true})) }

// putSecret stores something under a new kv mount of the shared server, and answers the path.
func putSecret(t *testing.T, s *Server, value string) string {
	t.Helper()
	path := s.MountNew(t, Mount{Type: "kv"}) + "/secret"
	s.Expect(t, 204, "POST", path, map[string]any{"value": value})
	return path
}

func wantSecret(t *testing.T, s *Server, path, value string) {
	t.Helper()
	if got := s.Expect(t, 200, "GET", path, nil).Data()["value"]; got != value {
		t.Fatalf("%s holds %v, wanted %q", path, got, value)
	}
}
