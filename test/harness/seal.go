package harness

import (
	"fmt"
	"net/http"
	"testing"
)

// initialize makes the root token and the one key share.
func (s *Server) initialize() error {
	r, err := s.send(http.MethodPut, "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	if err != nil {
		return err
	}
	keys, _ := r.JSON["keys_base64"].([]any)
	token, _ := r.JSON["root_token"].(string)
	if len(keys) != 1 || token == "" {
		return fmt.Errorf("sys/init answered %d without one key share and a root token", r.Status)
	}
	s.Token = token
	s.node.unsealKey, _ = keys[0].(string)
	return nil
}

func (s *Server) unseal() error {
	if err := s.put("sys/unseal", map[string]any{"key": s.node.unsealKey}); err != nil {
		return err
	}
	return s.node.waitHealth("the unsealed server to be active", http.StatusOK)
}

// Seal seals the server, as `vault operator seal` does. It keeps running.
func (s *Server) Seal(t testing.TB) {
	t.Helper()
	s.check(t, s.put("sys/seal", nil))
	s.check(t, s.node.waitHealth("the server to be sealed", http.StatusServiceUnavailable))
}

// Unseal unseals the server and waits until it is active.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	s.check(t, s.unseal())
}
