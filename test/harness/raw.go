package harness

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// WalkRaw hands each entry below a prefix ("" or ending in "/") of the server's storage to visit, as it lies
// behind Vault's encryption and decompressed: engines at logical/<uuid>/, leases at sys/expire/id/.
func (s *Server) WalkRaw(t testing.TB, prefix string, visit func(path string, value []byte)) {
	t.Helper()
	r := s.API(t, "LIST", "sys/raw/"+prefix, nil)
	if r.Status == http.StatusNotFound {
		return // Vault's answer to an empty list
	}
	if r.Status != http.StatusOK {
		t.Fatalf("list sys/raw/%s: %d: %s", prefix, r.Status, r.Raw)
	}
	keys, _ := r.Data()["keys"].([]any)
	for _, key := range keys {
		path := prefix + key.(string)
		if strings.HasSuffix(path, "/") {
			s.WalkRaw(t, path, visit)
		} else if value, err := s.readRaw(path); err == nil {
			visit(path, value)
		} else if !strings.HasPrefix(path, "core/") {
			// Below core/ lie what Vault keeps without the barrier and what it lets nobody read: the keyring.
			t.Fatal(err)
		}
	}
}

// WalkMount is WalkRaw for what the engine mounted at path has stored. Paths start at the engine's root.
func (s *Server) WalkMount(t testing.TB, mount string, visit func(path string, value []byte)) {
	t.Helper()
	root := s.MountRoot(t, mount)
	s.WalkRaw(t, root, func(path string, value []byte) { visit(strings.TrimPrefix(path, root), value) })
}

// WriteMount puts an entry into what the engine mounted at path has stored, behind its back. What the engine keeps
// in memory stays: see Reload.
func (s *Server) WriteMount(t testing.TB, mount, path string, value []byte) {
	t.Helper()
	body := map[string]any{"value": base64.StdEncoding.EncodeToString(value), "encoding": "base64"}
	s.Expect(t, http.StatusNoContent, http.MethodPut, "sys/raw/"+s.MountRoot(t, mount)+path, body)
}

// DeleteMount is WriteMount for the removal of an entry.
func (s *Server) DeleteMount(t testing.TB, mount, path string) {
	t.Helper()
	s.Expect(t, http.StatusNoContent, http.MethodDelete, "sys/raw/"+s.MountRoot(t, mount)+path, nil)
}

// MountRoot is the folder in storage that the engine mounted at path has for itself.
func (s *Server) MountRoot(t testing.TB, mount string) string {
	t.Helper()
	uuid, _ := s.Expect(t, http.StatusOK, http.MethodGet, "sys/mounts/"+mount, nil).Data()["uuid"].(string)
	if uuid == "" {
		t.Fatalf("sys/mounts/%s answers no uuid", mount)
	}
	return "logical/" + uuid + "/"
}

// readRaw asks for base64, as entries need not be UTF-8. Vault takes the first byte of an entry for the name of a
// compression; where that was a coincidence it answers an error, and the entry is read as it is.
func (s *Server) readRaw(path string) ([]byte, error) {
	r, err := s.send(http.MethodGet, "sys/raw/"+path+"?encoding=base64", nil)
	if err == nil && r.Status != http.StatusOK {
		r, err = s.send(http.MethodGet, "sys/raw/"+path+"?encoding=base64&compressed=false", nil)
	}
	if err != nil {
		return nil, err
	}
	value, found := r.Data()["value"].(string)
	if r.Status != http.StatusOK || !found {
		return nil, fmt.Errorf("read sys/raw/%s: %d: %s", path, r.Status, r.Raw)
	}
	return base64.StdEncoding.DecodeString(value)
}
