package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"vault-plugin-secrets-apikeys/test/harness"
)

// storedHashes are the hashes of a key's versions as they lie in storage, newest first.
func (e engine) storedHashes(t *testing.T, id string) (hashes []string) {
	t.Helper()
	e.WalkMount(t, e.Mount, func(path string, value []byte) {
		if path != "key/"+id[:2]+"/"+id {
			return
		}
		var stored struct {
			Record struct {
				Versions []struct{ Hash string }
			}
		}
		if err := json.Unmarshal(value, &stored); err != nil {
			t.Fatal(err)
		}
		for _, v := range stored.Record.Versions {
			hashes = append(hashes, v.Hash)
		}
	})
	return hashes
}

func (e engine) eventuallyHashed(t *testing.T, id, cost string) {
	t.Helper()
	harness.Eventually(t, patience, "wait for a re-hash", func() error {
		if h := e.storedHashes(t, id)[0]; !strings.HasPrefix(h, "$argon2id$v=19$"+cost+"$") {
			return fmt.Errorf("the newest hash is %.40s", h)
		}
		return nil
	})
}

func TestAHigherCostReachesAKeyAfterItsNextVerify(t *testing.T) {
	t.Parallel()
	e := mounted(t)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	const low, middle, high = "m=19456,t=2,p=1", "m=19456,t=3,p=1", "m=20480,t=4,p=1"
	k, unused, ended := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil)
	e.eventuallyHashed(t, k.ID, low)
	next := e.rotate(t, k.ID, fields{"grace_period": "1h"})
	before := e.Read(t, "keys/"+k.ID)

	e.Write(t, "config", fields{"argon2_memory_kib": 20480, "argon2_iterations": 4})
	e.Write(t, "revoke/"+ended.ID, nil)
	e.WantCode(t, "revoked", ended.Text)
	e.WantCode(t, "valid", next.Text)
	e.eventuallyHashed(t, k.ID, high)
	if old := e.storedHashes(t, k.ID)[1]; !strings.Contains(old, low) {
		t.Errorf("the version that nobody verified has the hash %.40s", old)
	}
	e.WantCode(t, "valid", next.Text)
	e.WantCode(t, "valid", k.Text)
	e.WantCode(t, "invalid", next.Text[:len(next.Text)-1])
	wantSame(t, "a read after the re-hash", e.Read(t, "keys/"+k.ID), before)

	// A lower cost raises what is below it and lowers nothing. Re-hashes go one after the other, so when the last
	// key's is done, the first one's would be.
	e.Write(t, "config", fields{"argon2_memory_kib": 19456, "argon2_iterations": 3})
	e.WantCode(t, "valid", next.Text)
	e.WantCode(t, "valid", unused.Text)
	e.eventuallyHashed(t, unused.ID, middle)
	e.eventuallyHashed(t, k.ID, high)
	if h := e.storedHashes(t, ended.ID)[0]; !strings.Contains(h, low) {
		t.Errorf("a revoked key has the hash %.40s", h)
	}
	e.WantCode(t, "valid", next.Text)
	e.WantCode(t, "valid", unused.Text)
	e.WantCode(t, "revoked", ended.Text)
}

func TestARehashedKeyVerifiesInANewProcess(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, server)
	e.Write(t, "roles/web", fields{"generate_lease": false})
	k := e.issue(t, "web", nil)
	e.Write(t, "config", fields{"argon2_iterations": 3})
	e.WantCode(t, "valid", k.Text)
	e.eventuallyHashed(t, k.ID, "m=19456,t=3,p=1")
	e.KillPlugin(t)
	e.WantCode(t, "valid", k.Text)
	wrong := []byte(k.Text)
	wrong[len(wrong)-30]++
	e.WantCode(t, "invalid", string(wrong))
}
