package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// ports is a pair of neighbours: a server's API and, one above as in dev mode, its cluster listener.
type ports struct {
	api     int
	reserve *os.File
}

func (p ports) address() string        { return fmt.Sprintf("127.0.0.1:%d", p.api) }
func (p ports) clusterAddress() string { return fmt.Sprintf("127.0.0.1:%d", p.api+1) }
func (p ports) release()               { p.reserve.Close() }

// reservePorts takes a pair that is free now and that no other test will take before release: a server
// that is restarted needs its address again. The pair lies below the range from which the kernel takes
// ports for outgoing connections. The lock goes with the process that holds it.
func reservePorts() (ports, error) {
	dir := filepath.Join(os.TempDir(), "vault-test-ports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ports{}, err
	}
	for range 200 {
		port := 20000 + 2*rand.IntN(6000)
		lock, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return ports{}, err
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && free(port) && free(port+1) {
			return ports{api: port, reserve: lock}, nil
		}
		lock.Close()
	}
	return ports{}, errors.New("found no free ports between 20000 and 32000")
}

// FreePort returns a port on which nothing listens now, for a program that a test starts itself.
func FreePort() (int, error) {
	p, err := reservePorts()
	if err != nil {
		return 0, err
	}
	defer p.release()
	return p.api, nil
}

func free(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}
