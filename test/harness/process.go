package harness

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// process is a server and all that it starts, in a process group of its own.
type process struct {
	pid    int
	ended  chan struct{} // closed when the server has exited and its group is gone
	status error         // of the exit, once ended is closed
}

// startProcess runs command with its output appended to the file log.
func startProcess(command *exec.Cmd, log string) (*process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command.Stdout, command.Stderr = output, output
	// Vault's plugins join its group, so that one signal to the group ends them even if Vault no longer can.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the child ends, not the process: keep it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := command.Start(); err != nil {
			started <- err
			return
		}
		p.pid = command.Process.Pid
		guard, err := guardGroup(p.pid)
		if err != nil {
			p.killGroup()
		}
		started <- err
		p.status = command.Wait()
		p.killGroup() // plugins that outlived a killed server
		guard.dismiss()
		close(p.ended)
	}()
	return p, <-started
}

// stop asks the server to end, as systemd would, and kills it when it does not.
func (p *process) stop(patience time.Duration) error {
	if !p.running() {
		return nil
	}
	syscall.Kill(p.pid, syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("process %d did not end within %s of SIGTERM", p.pid, patience)
	}
}

// kill ends the server and its plugins at once.
func (p *process) kill() {
	if p.running() {
		p.killGroup()
		<-p.ended
	}
}

func (p *process) killGroup() { syscall.Kill(-p.pid, syscall.SIGKILL) }

func (p *process) running() bool { return p.exited() == nil }

// exited is nil while the process runs, else how it ended.
func (p *process) exited() error {
	select {
	case <-p.ended:
		return fmt.Errorf("the server has exited (status: %v)", p.status)
	default:
		return nil
	}
}

// guard is a shell that outlives the test binary by a moment. Pdeathsig reaches the server but not the
// server's plugins, and a test binary that times out or is killed runs no cleanup.
type guard struct {
	shell *exec.Cmd
	stdin io.WriteCloser
}

func guardGroup(group int) (guard, error) {
	const script = `read -r word; [ "$word" = dismissed ] || kill -s KILL -- "-$1"`
	shell := exec.Command("sh", "-c", script, "guard", strconv.Itoa(group))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := shell.StdinPipe()
	if err == nil {
		err = shell.Start()
	}
	if err != nil {
		return guard{}, fmt.Errorf("guard the server's process group: %w", err)
	}
	return guard{shell, stdin}, nil
}

func (g guard) dismiss() {
	if g.shell == nil {
		return
	}
	io.WriteString(g.stdin, "dismissed\n")
	g.stdin.Close()
	g.shell.Wait()
}
