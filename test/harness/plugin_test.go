package harness

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// These ask the plugin for its help only, which every plugin has.

func TestThePluginRunsInOneProcessThatCanBeKilledAndReloaded(t *testing.T) {
	s := Start(t, Options{Plugin: true})
	s.Mount(t, "engine", Mount{RequestHeaders: []string{"X-API-Key"}, DefaultTTL: "1h", MaxTTL: "2h"})
	s.Mount(t, "second", Mount{})
	s.Expect(t, 200, "GET", "engine?help=1", nil)
	first := s.PluginPIDs(t)
	if len(first) != 1 {
		t.Fatalf("the plugin's processes are %v, wanted one", first)
	}

	s.KillPlugin(t)
	// Until Vault has noticed, it dials the process that is gone.
	Eventually(t, 10*time.Second, "the plugin to be started again", func() error {
		if r := s.API(t, "GET", "engine?help=1", nil); r.Status != 200 {
			return fmt.Errorf("it answered %d", r.Status)
		}
		return nil
	})
	second := s.PluginPIDs(t)
	if len(second) != 1 || slices.Equal(first, second) {
		t.Fatalf("after a kill the processes are %v, and were %v", second, first)
	}

	s.Reload(t)
	s.Expect(t, 200, "GET", "engine?help=1", nil)
	if third := s.PluginPIDs(t); len(third) != 1 || slices.Equal(second, third) {
		t.Fatalf("after a reload the processes are %v, and were %v", third, second)
	}

	tune := s.Expect(t, 200, "GET", "sys/mounts/engine/tune", nil).Data()
	if tune["max_lease_ttl"] == nil || tune["passthrough_request_headers"] == nil {
		t.Errorf("the mount's tuning is %v", tune)
	}
	s.Restart(t)
	s.Expect(t, 200, "GET", "engine?help=1", nil)
}

func TestADevServerRegistersThePluginItself(t *testing.T) {
	s := StartDev(t, Options{Plugin: true})
	s.MustCLI(t, "secrets", "enable", "-path=engine", PluginName)
	s.MustCLI(t, "path-help", "engine")
}

func TestAClusterRunsThePluginOnItsActiveNodeOnly(t *testing.T) {
	c := StartCluster(t, Options{Plugin: true})
	c.Active(t).Mount(t, "engine", Mount{})
	active := c.StepDown(t)
	active.Expect(t, 200, "GET", "engine?help=1", nil)
	if pids := active.PluginPIDs(t); len(pids) != 1 {
		t.Errorf("the active node runs the plugin in %v", pids)
	}
	for _, s := range c.Standbys(t) {
		if pids := s.PluginPIDs(t); len(pids) != 0 {
			t.Errorf("a standby runs the plugin in %v", pids)
		}
	}
}
