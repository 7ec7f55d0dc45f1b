package harness

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

func TestTheRawWalkShowsEachEntryByteForByte(t *testing.T) {
	s := servers.Server(t)
	// Some begin with the bytes that name Vault's compressions, and one is no UTF-8.
	stored := []string{"a=plain", "b=Gzip it is not", "dir/c=S\xff\xfe", "dir/d=LZW neither", "e=4 and so on", "f="}
	mount := s.MountNew(t, Mount{Type: "kv"})
	uuid := s.Expect(t, 200, "GET", "sys/mounts/"+mount, nil).Data()["uuid"].(string)
	for _, entry := range stored {
		path, value, _ := bytes.Cut([]byte(entry), []byte("="))
		body := map[string]any{"encoding": "base64", "value": base64.StdEncoding.EncodeToString(value)}
		s.Expect(t, 204, "POST", "sys/raw/logical/"+uuid+"/"+string(path), body)
	}
	compressed := map[string]any{"compression_type": "gzip", "value": "gzip"}
	s.Expect(t, 204, "POST", "sys/raw/logical/"+uuid+"/g", compressed)

	var seen []string
	s.WalkMount(t, mount, func(path string, value []byte) { seen = append(seen, path+"="+string(value)) })
	slices.Sort(seen)
	wanted := append(stored, "g=gzip")
	slices.Sort(wanted)
	if !slices.Equal(seen, wanted) {
		t.Errorf("saw    %q\nwanted %q", seen, wanted)
	}
}

func TestTheRawWalkFindsALeaseAndNothingUnderAnEmptyPrefix(t *testing.T) {
	s := servers.Server(t)
	s.TokenWith(t, `path "sys/mounts" { capabilities = ["read"] }`, map[string]any{"display_name": "walker"})
	found := false
	s.WalkRaw(t, "sys/expire/id/auth/token/", func(_ string, value []byte) {
		found = found || bytes.Contains(value, []byte("token-walker"))
	})
	if !found {
		t.Error("the token's lease is not in storage")
	}
	s.WalkRaw(t, "no/such/prefix/", func(path string, _ []byte) { t.Errorf("saw %s", path) })
}

func TestTheRawWalkPassesOverAllOfStorage(t *testing.T) {
	s := servers.Server(t)
	entries := 0
	s.WalkRaw(t, "", func(string, []byte) { entries++ })
	if entries < 20 {
		t.Errorf("saw %d entries", entries)
	}
}

func TestARawWriteChangesWhatTheEngineStores(t *testing.T) {
	s := servers.Server(t)
	path := putSecret(t, s, "first")
	mount := strings.TrimSuffix(path, "/secret")
	s.WriteMount(t, mount, "secret", []byte(`{"value": "second"}`))
	wantSecret(t, s, path, "second")
	s.DeleteMount(t, mount, "secret")
	s.Expect(t, 404, "GET", path, nil)
}
