package harness

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Link is the network between a client and servers, which a test may break. Each connection leads to the first of the
// servers that takes it.
type Link struct {
	listener net.Listener
	servers  []*Server
	balances bool                // each connection leads to the next of the servers
	port     func(*node) string  // of a server to which it leads
	refused  func(net.Conn) bool // a connection that is to be none; nil for no such
	state    atomic.Pointer[linkState]
	opened   atomic.Int64
	mu       sync.Mutex
	open     map[*wire]struct{}
}

type linkState struct {
	refuses, loses bool
	delay          time.Duration
}

// wire is one connection through a link.
type wire struct {
	client, server net.Conn
	lost           atomic.Bool // what is sent arrives nowhere, and nobody is told
}

// NewLink opens a link that works, until the test ends.
func NewLink(t testing.TB, servers ...*Server) *Link {
	t.Helper()
	l := &Link{servers: servers, port: func(n *node) string { return n.ports.address() }}
	l.begin(t)
	return l
}

// NewBalancer opens a link on which each connection leads to the next of the servers, whatever becomes of it.
func NewBalancer(t testing.TB, servers ...*Server) *Link {
	t.Helper()
	l := &Link{servers: servers, balances: true, port: func(n *node) string { return n.ports.address() }}
	l.begin(t)
	return l
}

func (l *Link) begin(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.listener, l.open = listener, make(map[*wire]struct{})
	l.Heal()
	go l.accept()
	t.Cleanup(func() { l.Refuse(); listener.Close() })
}

// Address is the URL at which the servers are reached through the link.
func (l *Link) Address() string { return "http://" + l.listener.Addr().String() }

// Opened is how many connections there have been.
func (l *Link) Opened() int64 { return l.opened.Load() }

// Heal lets new connections work. Those that were lost stay so.
func (l *Link) Heal() { l.state.Store(&linkState{}) }

// Refuse breaks all connections and refuses new ones.
func (l *Link) Refuse() {
	l.state.Store(&linkState{refuses: true})
	l.each(func(w *wire) { w.close() })
}

// Lose loses what is sent on all connections, also on new ones. They stay open.
func (l *Link) Lose() {
	l.state.Store(&linkState{loses: true})
	l.LoseOpen()
}

// LoseOpen loses what is sent on the connections that there are. New ones work.
func (l *Link) LoseOpen() { l.each(func(w *wire) { w.lost.Store(true) }) }

// Delay has everything take so long in each direction.
func (l *Link) Delay(by time.Duration) { l.state.Store(&linkState{delay: by}) }

func (l *Link) each(do func(*wire)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.open {
		do(w)
	}
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(client)
	}
}

// carry connects a client with a server.
func (l *Link) carry(client net.Conn) {
	turn := l.opened.Add(1)
	w := &wire{client: client}
	defer w.close()
	state := l.state.Load()
	if state.refuses {
		return
	}
	servers := l.servers
	if l.balances {
		servers = servers[turn%int64(len(servers)):][:1]
	}
	for _, s := range servers {
		if server, err := net.DialTimeout("tcp", l.port(s.node), time.Second); err == nil {
			w.server = server
			break
		}
	}
	if w.server == nil {
		return
	}
	w.lost.Store(state.loses)
	l.mu.Lock()
	l.open[w] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, w)
	}()
	if l.state.Load().refuses || l.refused != nil && l.refused(client) { // it was not among those that were broken
		return
	}
	go l.copy(w, w.server, w.client)
	l.copy(w, w.client, w.server)
}

// copy carries what one end sends, until either is closed.
func (l *Link) copy(w *wire, to, from net.Conn) {
	defer w.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !w.lost.Load() {
			time.Sleep(l.state.Load().delay)
			if w.lost.Load() {
				continue
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) close() {
	w.client.Close()
	if w.server != nil {
		w.server.Close()
	}
}
