package harness

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// patience bounds each wait for a server. Two cores that also run other tests can be slow.
const patience = 60 * time.Second

// node is one Vault server: its directory, its addresses, and its process while it runs.
type node struct {
	name      string
	dir       string
	pluginDir string
	auditFile string
	ports     ports
	peerPort  string // at which its peers reach it
	options   Options
	arguments []string // of the vault command
	client    *http.Client
	process   *process
	unsealKey string
}

// newNode reserves what a server needs. Its directory has a short name, not that of a test: the plugins'
// sockets lie in it, and their paths may have 107 bytes at most.
func newNode(name string, options Options) (*node, error) {
	dir, err := os.MkdirTemp("", "vault-")
	if err != nil {
		return nil, err
	}
	n := &node{name: name, dir: dir, options: options, client: newHTTPClient()}
	n.pluginDir, n.auditFile = n.path("plugins"), n.path("audit.log")
	for _, sub := range []string{"plugins", "data", "home", "tmp"} {
		err = errors.Join(err, os.Mkdir(n.path(sub), 0o700))
	}
	if err == nil {
		n.ports, err = reservePorts()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return n, nil
}

// configure writes the configuration file that launch starts the server with.
func (n *node) configure(peers []*node) error {
	file := n.path("vault.hcl")
	n.arguments = []string{"server", "-config=" + file}
	return os.WriteFile(file, []byte(n.config(peers)), 0o600)
}

// launch starts the process and waits until it answers.
func (n *node) launch() error {
	binary, err := vaultBinary()
	if err != nil {
		return err
	}
	command := exec.Command(binary, n.arguments...)
	command.Dir = n.dir
	command.Env = append(plainEnvironment(n.path("home")), "TMPDIR="+n.path("tmp"))
	if n.process, err = startProcess(command, n.path("server.log")); err != nil {
		return err
	}
	return n.wait("the server to answer", func() error {
		_, err := n.health()
		return err
	})
}

// wait is eventually, but gives up when the process has ended, and adds the end of the server's log.
func (n *node) wait(what string, try func() error) error {
	var ended error
	err := eventually(patience, "wait for "+what, func() error {
		if ended = n.process.exited(); ended != nil {
			return nil
		}
		return try()
	})
	if err = errors.Join(err, ended); err != nil {
		return fmt.Errorf("%w\n%s", err, n.logTail())
	}
	return nil
}

// health is the status of sys/health: 200 active, 429 standby, 501 not initialised, 503 sealed.
func (n *node) health() (int, error) {
	response, err := n.client.Get(n.url() + "/v1/sys/health")
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	return response.StatusCode, nil
}

func (n *node) waitHealth(what string, wanted ...int) error {
	return n.wait(what, func() error {
		status, err := n.health()
		for _, one := range wanted {
			if err == nil && status == one {
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("sys/health answers %d, wanted %v", status, wanted))
	})
}

// discard ends the process and removes all that the node had.
func (n *node) discard() {
	if n.process != nil {
		n.process.kill()
	}
	n.client.CloseIdleConnections()
	n.ports.release()
	os.RemoveAll(n.dir)
}

func (n *node) url() string             { return "http://" + n.ports.address() }
func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *node) log() string {
	text, _ := os.ReadFile(n.path("server.log"))
	return string(text)
}

func (n *node) logTail() string {
	return fmt.Sprintf("--- end of the log of %s\n%s\n---", n.name, tail(n.path("server.log")))
}

// tail is the end of a log file.
func tail(file string) string {
	const lines = 25
	text, _ := os.ReadFile(file)
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// plainEnvironment is what a program is given instead of the caller's variables, VAULT_TOKEN among them.
func plainEnvironment(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
}
