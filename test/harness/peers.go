package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// peers is the network between the nodes of a cluster: a link into each.
type peers struct {
	into map[*Server]*Link
	cut  atomic.Pointer[Server] // nothing passes between it and the others
}

// connect puts links between the nodes, before they are configured.
func (c *Cluster) connect(t testing.TB) {
	t.Helper()
	c.peers.into = make(map[*Server]*Link)
	for _, s := range c.Nodes {
		l := &Link{servers: []*Server{s}, port: func(n *node) string { return n.ports.clusterAddress() }}
		l.refused = func(client net.Conn) bool {
			cut := c.peers.cut.Load()
			return cut != nil && (cut == s || cut.node.owns(client))
		}
		l.begin(t)
		c.peers.into[s], s.node.peerPort = l, l.listener.Addr().String()
	}
}

// CutOff breaks all connections between a node and the others, and refuses new ones. Its clients reach it.
func (c *Cluster) CutOff(s *Server) {
	c.peers.cut.Store(s)
	for _, l := range c.peers.into {
		l.each(func(w *wire) {
			if c.peers.of(w, s) {
				w.close()
			}
		})
	}
}

// Mend lets the nodes reach each other again.
func (c *Cluster) Mend() { c.peers.cut.Store(nil) }

// of tells whether a connection leads to a node, or from it.
func (p *peers) of(w *wire, s *Server) bool {
	return w.server.RemoteAddr().String() == s.node.ports.clusterAddress() || s.node.owns(w.client)
}

// owns tells whether it was the node's process that made a connection to this one. All nodes have one address: only the
// kernel knows whose connection it is.
func (n *node) owns(accepted net.Conn) bool {
	local, ok := accepted.LocalAddr().(*net.TCPAddr)
	remote, is := accepted.RemoteAddr().(*net.TCPAddr)
	if !ok || !is {
		return false
	}
	table, _ := os.ReadFile("/proc/net/tcp")
	from, to := fmt.Sprintf(":%04X", remote.Port), fmt.Sprintf(":%04X", local.Port)
	for line := range strings.Lines(string(table)) {
		// number local remote state queues timer retransmissions user timeout inode …
		fields := strings.Fields(line)
		if len(fields) > 9 && strings.HasSuffix(fields[1], from) && strings.HasSuffix(fields[2], to) {
			return n.holds("socket:[" + fields[9] + "]")
		}
	}
	return false
}

// holds tells whether the node's process has something open.
func (n *node) holds(file string) bool {
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", n.process.pid))
	for _, fd := range open {
		if target, err := os.Readlink(fd); err == nil && target == file {
			return true
		}
	}
	return false
}

// Suspend has a server and its plugins stand still until it is resumed, as where its machine is suspended.
func (s *Server) Suspend(t testing.TB) (resume func()) {
	t.Helper()
	all := append([]int{s.node.process.pid}, s.PluginPIDs(t)...)
	s.signal(t, syscall.SIGSTOP, all...)
	return func() { s.signal(t, syscall.SIGCONT, all...) }
}
