package limits

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
	"vault-plugin-secrets-apikeys/test/surface"
)

// reloads are the ways in which Vault ends the one process of all mounts after it has told one of them.
var reloads = []struct {
	name string
	run  func(t *testing.T, s *harness.Server)
}{
	{"by plugin", func(t *testing.T, s *harness.Server) { s.Reload(t) }},
	{"of one mount", func(t *testing.T, s *harness.Server) {
		s.Expect(t, 200, "POST", "sys/plugins/reload/backend", fields{"mounts": []string{"keys-1"}})
	}},
}

// mounts are several on one server, none of which flushes by itself.
func mounts(t *testing.T, s *harness.Server, names ...string) (all []engine) {
	t.Helper()
	for _, name := range names {
		e := engineAt(s, name)
		s.Mount(t, name, harness.Mount{})
		e.Write(t, "config", fields{"usage_flush_interval": "1h"})
		e.setRole(t, fields{"idle_timeout": "90h", "quota": 100000})
		all = append(all, e)
	}
	return all
}

// TestAReloadLosesNothingOfAnyMount has a server of its own.
func TestAReloadLosesNothingOfAnyMount(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	all := mounts(t, s, "keys-1", "keys-2", "keys-3")
	keys := make([]key, len(all))
	for i, e := range all {
		keys[i] = e.issue(t, nil)
	}
	spent := 0
	for _, reload := range reloads {
		t.Run(reload.name, func(t *testing.T) {
			for round := range 3 {
				spent++
				used := make([]any, len(all))
				for i, e := range all {
					e.WantCode(t, "valid", keys[i].Text)
					used[i] = e.Read(t, "keys/"+keys[i].ID)["last_used_at"]
				}
				before := s.PluginPIDs(t)
				reload.run(t, s)
				for i, e := range all {
					e.AwaitPlugin(t)
					surface.WantFields(t, fmt.Sprintf("round %d: of mount %d", round, i), e.Read(t, "keys/"+keys[i].ID),
						fields{"last_used_at": used[i], "quota_remaining": 100000 - spent})
				}
				if after := s.PluginPIDs(t); fmt.Sprint(before) == fmt.Sprint(after) {
					t.Fatalf("the process is still %v", after)
				}
			}
		})
	}
}

// TestAReloadUnderLoadLosesNoUnit: what clients were told is what was spent, but for what was cut off.
func TestAReloadUnderLoadLosesNoUnit(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{Plugin: true})
	all := mounts(t, s, "keys-1", "keys-2")
	keys, counts := make([]key, len(all)), make([]asked, len(all))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i, e := range all {
		keys[i] = e.issue(t, nil)
		for range 3 {
			clients.Go(func() { e.spend(t, &counts[i], stop, keys[i].Text) })
		}
	}
	for range 4 {
		time.Sleep(300 * time.Millisecond)
		s.Reload(t)
	}
	close(stop)
	clients.Wait()
	for i, e := range all {
		valid, failed := int(counts[i].valid.Load()), int(counts[i].failed.Load())
		left := surface.Number(t, e.Read(t, "keys/"+keys[i].ID), "quota_remaining")
		t.Logf("%s: %d valid, %d cut off, %d left", e.Mount, valid, failed, int(left))
		if missing := 100000 - valid - int(left); missing < 0 || missing > failed {
			t.Errorf("%s lost %d units of %d that were cut off", e.Mount, missing, failed)
		}
	}
}
