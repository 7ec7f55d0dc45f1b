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
	e.WalkMount(t, e.mount, func(path string, value []byte) {
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
	e.write(t, "roles/web", fields{"generate_lease": false})
	const low, middle, high = "m=19456,t=2,p=1", "m=19456,t=3,p=1", "m=20480,t=4,p=1"
	k, unused, ended := e.issue(t, "web", nil), e.issue(t, "web", nil), e.issue(t, "web", nil)
	e.eventuallyHashed(t, k.id, low)
	next := e.rotate(t, k.id, fields{"grace_period": "1h"})
	before := e.read(t, "keys/"+k.id)

	e.write(t, "config", fields{"argon2_memory_kib": 20480, "argon2_iterations": 4})
	e.write(t, "revoke/"+ended.id, nil)
	e.wantCode(t, "revoked", ended.text)
	e.wantCode(t, "valid", next.text)
	e.eventuallyHashed(t, k.id, high)
	if old := e.storedHashes(t, k.id)[1]; !strings.Contains(old, low) {
		t.Errorf("the version that nobody verified has the hash %.40s", old)
	}
	e.wantCode(t, "valid", next.text)
	e.wantCode(t, "valid", k.text)
	e.wantCode(t, "invalid", next.text[:len(next.text)-1])
	wantSame(t, "a read after the re-hash", e.read(t, "keys/"+k.id), before)

	// A lower cost raises what is below it and lowers nothing. Re-hashes go one after the other, so when the last
	// key's is done, the first one's would be.
	e.write(t, "config", fields{"argon2_memory_kib": 19456, "argon2_iterations": 3})
	e.wantCode(t, "valid", next.text)
	e.wantCode(t, "valid", unused.text)
	e.eventuallyHashed(t, unused.id, middle)
	e.eventuallyHashed(t, k.id, high)
	if h := e.storedHashes(t, ended.id)[0]; !strings.Contains(h, low) {
		t.Errorf("a revoked key has the hash %.40s", h)
	}
	e.wantCode(t, "valid", next.text)
	e.wantCode(t, "valid", unused.text)
	e.wantCode(t, "revoked", ended.text)
}

func TestARehashedKeyVerifiesInANewProcess(t *testing.T) {
	t.Parallel()
	server := harness.Start(t, harness.Options{Plugin: true})
	e := mountedOn(t, server)
	e.write(t, "roles/web", fields{"generate_lease": false})
	k := e.issue(t, "web", nil)
	e.write(t, "config", fields{"argon2_iterations": 3})
	e.wantCode(t, "valid", k.text)
	e.eventuallyHashed(t, k.id, "m=19456,t=3,p=1")
	e.killPlugin(t)
	e.wantCode(t, "valid", k.text)
	wrong := []byte(k.text)
	wrong[len(wrong)-30]++
	e.wantCode(t, "invalid", string(wrong))
}
