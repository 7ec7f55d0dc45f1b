package harness

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Plugin says which binary is registered under which name. The zero value is the built plugin under PluginName.
type Plugin struct {
	Name    string // PluginName if empty
	Kind    string // as in the catalog's paths; "secret" if empty
	Version string // as `vault plugin register -version`; if empty, what the binary reports
	Binary  string // the built plugin if empty
}

// Register copies a plugin's binary into the plugin directory and registers it.
func (s *Server) Register(t testing.TB, plugin Plugin) {
	t.Helper()
	s.check(t, s.register(plugin))
}

// Install copies the built plugin into the plugin directory under this name, for whoever registers it by other means. It
// answers its SHA-256.
func (s *Server) Install(t testing.TB, command string) string {
	t.Helper()
	sum, err := s.node.copyPlugin("", command)
	s.check(t, err)
	return sum
}

// Reload ends the plugin's process and starts it anew, as `vault plugin reload` does.
func (s *Server) Reload(t testing.TB) {
	t.Helper()
	s.check(t, s.put("sys/plugins/reload/backend", map[string]any{"plugin": PluginName}))
}

func (s *Server) register(plugin Plugin) error {
	if plugin.Name == "" {
		plugin.Name = PluginName
	}
	sum, err := s.node.copyPlugin(plugin.Binary, plugin.Name+plugin.Version)
	if err != nil {
		return err
	}
	body := map[string]any{"sha256": sum, "command": plugin.Name + plugin.Version, "version": plugin.Version}
	return s.put("sys/plugins/catalog/"+cmp.Or(plugin.Kind, "secret")+"/"+plugin.Name, body)
}

// install puts the built plugin where a dev server looks for it.
func (n *node) install() error {
	_, err := n.copyPlugin("", PluginName)
	return err
}

// copyPlugin copies, and does not link, because Vault refuses what resolves to outside of its plugin directory,
// and a build during a test must not change what is registered. It answers the SHA-256.
func (n *node) copyPlugin(binary, command string) (string, error) {
	if binary == "" {
		var err error
		if binary, err = pluginBinary(); err != nil {
			return "", err
		}
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return "", err
	}
	target := filepath.Join(n.pluginDir, command)
	if old, err := os.ReadFile(target); err != nil || !bytes.Equal(old, content) {
		// A running program cannot be written to, only replaced.
		os.Remove(target)
		if err := os.WriteFile(target, content, 0o700); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", sha256.Sum256(content)), nil
}

// PluginPIDs are the server's processes that run a binary of PluginName, whatever its version.
func (s *Server) PluginPIDs(t testing.TB) []int {
	t.Helper()
	return s.node.children(PluginName)
}

// KillPlugin kills the plugin's process with SIGKILL and waits until it is gone. Vault starts another at the first
// request after it has noticed; one that comes before may be answered with an error.
func (s *Server) KillPlugin(t testing.TB) {
	t.Helper()
	victims := s.PluginPIDs(t)
	if len(victims) == 0 {
		t.Fatal("no process of the plugin runs: Vault starts it at the first request to a mount")
	}
	s.signal(t, syscall.SIGKILL, victims...)
	s.awaitGone(t, victims)
}

// KillPluginAsleep is KillPlugin while the server stands still for a moment. It then learns of the death and of the end
// of the connection at the same time, and more often runs again what the plugin was asked than it answers an error.
func (s *Server) KillPluginAsleep(t testing.TB) {
	t.Helper()
	victims := s.PluginPIDs(t)
	s.signal(t, syscall.SIGSTOP, s.node.process.pid)
	s.signal(t, syscall.SIGKILL, victims...)
	time.Sleep(20 * time.Millisecond)
	s.signal(t, syscall.SIGCONT, s.node.process.pid)
	s.awaitGone(t, victims)
}

func (s *Server) signal(t testing.TB, signal syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

func (s *Server) awaitGone(t testing.TB, victims []int) {
	t.Helper()
	// A zombie is not gone: it is one until Vault has waited for it.
	Eventually(t, 10*time.Second, "wait for the killed plugin to be gone", func() error {
		for _, pid := range victims {
			if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
				return fmt.Errorf("process %d is still there", pid)
			}
		}
		return nil
	})
}

// children finds the server's child processes by the beginning of their binary's name.
func (n *node) children(name string) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// pid (name) state parent …, and the name may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(n.process.pid) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		program, _, _ := strings.Cut(string(command), "\x00")
		if strings.HasPrefix(filepath.Base(program), name) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// Mount says how an engine is mounted. The zero value is the plugin with Vault's defaults.
type Mount struct {
	Type            string // PluginName if empty
	Version         string // plugin version to pin
	RequestHeaders  []string
	ResponseHeaders []string
	DefaultTTL      string
	MaxTTL          string
}

// Mount mounts an engine, as `vault secrets enable -path=...` does.
func (s *Server) Mount(t testing.TB, path string, mount Mount) {
	t.Helper()
	if mount.Type == "" {
		mount.Type = PluginName
	}
	config := map[string]any{
		"passthrough_request_headers": mount.RequestHeaders,
		"allowed_response_headers":    mount.ResponseHeaders,
		"plugin_version":              mount.Version,
		"default_lease_ttl":           mount.DefaultTTL,
		"max_lease_ttl":               mount.MaxTTL,
	}
	s.check(t, s.put("sys/mounts/"+path, map[string]any{"type": mount.Type, "config": config}))
}

// Unmount removes a mount with all that it stores.
func (s *Server) Unmount(t testing.TB, path string) {
	t.Helper()
	s.Expect(t, http.StatusNoContent, http.MethodDelete, "sys/mounts/"+path, nil)
}

// MountNew mounts an engine at a path that no other test has, and unmounts it with the test. It answers the path.
func (s *Server) MountNew(t testing.TB, mount Mount) string {
	t.Helper()
	path := uniqueName("mount")
	s.Mount(t, path, mount)
	t.Cleanup(func() {
		if s.node.process.running() {
			s.Unmount(t, path)
		}
	})
	return path
}
