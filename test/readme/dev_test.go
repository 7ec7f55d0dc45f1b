package readme

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vault-plugin-secrets-apikeys/test/harness"
)

// dev is a running `make dev` or `make gate`.
type dev struct {
	ready       string // what it prints once it is
	port, group int
	directory   string // for its temporary files
	output      *screen
	ended       chan error
}

// screen is what a program has printed so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

const ready = "The server runs until Ctrl-C."

// startDev starts what `make dev` calls.
func startDev(t *testing.T) *dev {
	t.Helper()
	return start(t, "scripts/dev.sh", ready)
}

// start starts a script, in a process group of its own as a terminal would, and waits until it is ready.
func start(t *testing.T, script, ready string) *dev {
	t.Helper()
	port := portsInARow(t)
	// A short name: the sockets of plugins lie in it.
	dir, err := os.MkdirTemp("", "dev-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &dev{ready: ready, port: port, directory: dir, output: new(screen), ended: make(chan error, 1)}
	c := exec.Command(script)
	c.Dir = root
	c.Env = append(os.Environ(), "DEV_PORT="+strconv.Itoa(port), "TMPDIR="+dir)
	c.Stdout, c.Stderr = d.output, d.output
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread ends
		err := c.Start()
		started <- err
		if err == nil {
			d.ended <- c.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	d.group = c.Process.Pid
	t.Cleanup(func() { syscall.Kill(-d.group, syscall.SIGKILL) })
	harness.Eventually(t, 90*time.Second, "wait for the dev server", func() error {
		select {
		case err := <-d.ended:
			t.Fatalf("it ended: %v\n%s", err, d.output)
		default:
		}
		if !strings.Contains(d.output.String(), ready) {
			return errors.New(d.output.String())
		}
		return nil
	})
	return d
}

// inARow is how many ports make gate takes.
const inARow = 5

// portsInARow is the first of some that are free, below those that other tests' servers take.
func portsInARow(t *testing.T) int {
	t.Helper()
	for range 100 {
		first, free := 10000+rand.IntN(9900), 0
		for port := first; port < first+inARow; port++ {
			if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				l.Close()
				free++
			}
		}
		if free == inARow {
			return first
		}
	}
	t.Fatal("there are no free ports in a row")
	return 0
}

// interrupt is Ctrl-C.
func (d *dev) interrupt(t *testing.T) {
	t.Helper()
	syscall.Kill(-d.group, syscall.SIGINT)
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("it ended with %v\n%s", err, d.output)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it did not end\n%s", d.output)
	}
}

func TestMakeDevPrintsCommandsThatWorkAndLeavesNothing(t *testing.T) {
	if !regexp.MustCompile(`(?m)^dev:.*\n\t@scripts/dev.sh$`).MatchString(read(t, "Makefile")) {
		t.Error("make dev does not call scripts/dev.sh")
	}
	d := startDev(t)
	_, printed, _ := strings.Cut(d.output.String(), ready)
	var commands []*command
	for line := range strings.Lines(printed) {
		if text, found := strings.CutPrefix(line, "  "); found {
			commands = append(commands, &command{block: &block{}, text: text})
		}
	}
	if len(commands) < 7 {
		t.Fatalf("it printed only %d commands: %s", len(commands), printed)
	}
	run(t, commands)
	var codes []string
	for _, c := range commands {
		c.check(t)
		if code := table(c.output)["code"]; code != "" {
			codes = append(codes, code)
		}
	}
	if got := fmt.Sprint(codes); got != "[valid valid valid valid superseded invalid revoked]" {
		t.Errorf("the keys verify as %s", got)
	}
	d.interrupt(t)
	if err := syscall.Kill(-d.group, 0); !errors.Is(err, syscall.ESRCH) {
		t.Error("a process stayed behind")
	}
	d.wantNothingLeft(t)
}

// wantNothingLeft wants nobody to listen any more, and no file.
func (d *dev) wantNothingLeft(t *testing.T) {
	t.Helper()
	for port := d.port; port < d.port+inARow; port++ {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			c.Close()
			t.Errorf("port %d is still listened on", port)
		}
	}
	if left, _ := os.ReadDir(d.directory); len(left) > 0 {
		t.Errorf("files stayed behind: %v", left)
	}
}
