package harness

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// abandoned makes this test binary the victim of the test below.
const abandoned = "HARNESS_TEST_ABANDONED"

func TestAKilledTestBinaryLeavesNoProcesses(t *testing.T) {
	if os.Getenv(abandoned) != "" {
		abandonProcesses(t)
	}
	victim := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	victim.Env = append(os.Environ(), abandoned+"=yes")
	output, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	victim.Process.Kill()
	victim.Wait()

	for _, field := range strings.Fields(line) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("the victim wrote %q", line)
		}
		Eventually(t, 10*time.Second, "wait for process "+field+" to end", func() error {
			if err := syscall.Kill(pid, 0); err == nil && !zombie(field) {
				return os.ErrExist
			}
			return nil
		})
	}
}

// abandonProcesses starts what a server with a plugin is, says the process ids, and waits to be killed.
func abandonProcesses(t *testing.T) {
	log := t.TempDir() + "/log"
	server := exec.Command("sh", "-c", "sleep 300 & echo $!; wait")
	p, err := startProcess(server, log)
	if err != nil {
		t.Fatal(err)
	}
	Eventually(t, 10*time.Second, "wait for the child", func() error {
		if child, _ := os.ReadFile(log); len(child) > 0 {
			os.Stdout.WriteString(strconv.Itoa(p.pid) + " " + string(child))
			return nil
		}
		return os.ErrNotExist
	})
	time.Sleep(time.Minute)
}

// zombie is true for a process that has ended and whose parent has not taken note yet.
func zombie(pid string) bool {
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	return strings.Contains(string(stat), ") Z ")
}

func TestReservedPortsAreFreeAndNeverTakenTwice(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		p, err := reservePorts()
		if err != nil {
			t.Fatal(err)
		}
		defer p.release()
		if seen[p.api] || !free(p.api) || !free(p.api+1) {
			t.Errorf("port %d is not free", p.api)
		}
		seen[p.api] = true
	}
}
