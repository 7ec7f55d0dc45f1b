package harness

import (
	"sync"
	"testing"
)

// Pool is one server for all tests of a package, because a start takes seconds. A package has one:
//
//	var servers harness.Pool
//
//	func TestMain(m *testing.M) { os.Exit(servers.Run(m, harness.Options{Plugin: true})) }
//
// Tests keep apart by Server.MountNew. A test that seals, stops or breaks its server starts one of its own.
type Pool struct {
	once    sync.Once
	options Options
	server  *Server
	err     error
}

// Run runs the package's tests and ends the server after them. It answers the exit code.
func (p *Pool) Run(m *testing.M, options Options) int {
	p.options = options
	defer func() {
		if p.server != nil {
			p.server.node.discard()
		}
	}()
	return m.Run()
}

// Server is the shared server, started by the first test that asks, with the root token.
func (p *Pool) Server(t testing.TB) *Server {
	t.Helper()
	p.once.Do(func() { p.server, p.err = start(p.options) })
	if p.err != nil {
		t.Fatal(p.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.server.node.logTail())
		}
	})
	return p.server
}
