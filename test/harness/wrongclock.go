package harness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// WrongClock is a plugin whose wall clock can be set while it runs, and its monotonic one cannot. It is built from the
// same source, with a `time` package that adds what a file beside the binary says: libfaketime does not reach Go
// programs. Nothing of it is in the plugin itself.
type WrongClock struct {
	Plugin Plugin
	server *Server
}

// RegisterWrongClock builds the plugin and registers it under a name of its own. The first build compiles all that the
// plugin is made of anew, which takes minutes; later ones are cached.
func (s *Server) RegisterWrongClock(t testing.TB) WrongClock {
	t.Helper()
	folder := t.TempDir()
	program, err := buildWrongClock(folder, ".", PluginName)
	if err != nil {
		t.Fatal(err)
	}
	w := WrongClock{Plugin: Plugin{Name: PluginName + "-wrong-clock", Binary: program}, server: s}
	s.Register(t, w.Plugin)
	w.Set(t, 0)
	return w
}

// Set puts the wall clock ahead of what is right, or behind where by is negative. By whole seconds.
func (w WrongClock) Set(t testing.TB, by time.Duration) {
	t.Helper()
	setWrongClock(t, filepath.Join(w.server.node.pluginDir, w.Plugin.Name), by)
}

// WrongGate is a gate's program whose wall clock can be set in the same way.
type WrongGate struct{ Program string }

// BuildWrongGate builds it.
func BuildWrongGate(t testing.TB) WrongGate {
	t.Helper()
	program, err := buildWrongClock(t.TempDir(), "cmd/apikeys-gate", "apikeys-gate")
	if err != nil {
		t.Fatal(err)
	}
	w := WrongGate{program}
	w.Set(t, 0)
	return w
}

// Set is that of WrongClock.
func (w WrongGate) Set(t testing.TB, by time.Duration) {
	t.Helper()
	setWrongClock(t, w.Program, by)
}

func setWrongClock(t testing.TB, program string, by time.Duration) {
	t.Helper()
	// In place: a running program has the file in its memory.
	file, err := os.OpenFile(program+wrongClockSuffix, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second)), 0)
	if err = errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

const wrongClockSuffix = ".wrong-by"

// buildWrongClock lays a `time` package over Go's own, and builds a program of a module of this repository with it.
func buildWrongClock(folder, module, name string) (program string, err error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find Go's source: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const reading = "sec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	if strings.Count(string(source), reading) != 1 {
		return "", fmt.Errorf("time.Now of this version of Go reads otherwise than expected")
	}
	laid := strings.Replace(string(source), reading, "sec, nsec, mono := runtimeNow()\n\tsec += wrongBy()\n\tif mono == 0 {", 1)
	laid = strings.Replace(laid, "_ \"unsafe\"", "\"syscall\"\n\t\"unsafe\"", 1) + wrongBy
	return buildOver(folder, module, name, map[string]string{original: laid})
}

// wrongBy is what is added to `time`: eight bytes of a file that is named as the program. They are mapped, because the
// runtime asks for the time where nothing may be called.
const wrongBy = `
var wrongMapped = mapWrong()

func wrongBy() int64 {
	if wrongMapped == nil {
		return 0
	}
	return *(*int64)(unsafe.Pointer(&wrongMapped[0]))
}

func mapWrong() []byte {
	var name [512]byte
	n, err := syscall.Readlink("/proc/self/exe", name[:])
	if err != nil {
		return nil
	}
	fd, err := syscall.Open(string(name[:n])+"` + wrongClockSuffix + `", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	mapped, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return mapped
}
`
