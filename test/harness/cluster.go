package harness

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// Cluster is three servers on integrated raft storage. One is active, the others forward to it. All have one
// plugin directory and one audit log, those of the first node.
type Cluster struct {
	Nodes []*Server
	peers peers
}

// StartCluster starts a cluster and waits until each node is a voter: before that, a failover may find nobody
// to elect. That takes about 20 seconds.
func StartCluster(t testing.TB, options Options) *Cluster {
	t.Helper()
	c := &Cluster{}
	var nodes []*node
	for i := range 3 {
		n, err := newNode(fmt.Sprintf("node%d", i+1), options)
		s := owned(t, &Server{node: n}, err)
		n.pluginDir, n.auditFile = c.first(s).node.pluginDir, c.first(s).node.auditFile
		nodes = append(nodes, n)
		c.Nodes = append(c.Nodes, s)
	}
	if options.Breakable {
		c.connect(t)
	}
	first := c.Nodes[0]
	for i, s := range c.Nodes {
		s.check(t, s.node.configure(nodes))
		s.check(t, s.node.launch())
		if i == 0 {
			s.check(t, s.initialize())
			s.check(t, s.unseal())
			s.check(t, s.put("sys/storage/raft/autopilot/configuration", map[string]any{"server_stabilization_time": "1s"}))
			continue
		}
		s.Token, s.node.unsealKey = first.Token, first.node.unsealKey
		s.check(t, s.joinCluster())
	}
	c.WaitVoters(t)
	first.check(t, first.equip())
	return c
}

func (c *Cluster) first(otherwise *Server) *Server {
	if len(c.Nodes) > 0 {
		return c.Nodes[0]
	}
	return otherwise
}

// joinCluster unseals a node. It takes the key as soon as it has found its leader and got a challenge from it, and
// answers an error until then. A second key after that would unseal the node twice, and Vault then loses each request
// to step down.
func (s *Server) joinCluster() error {
	given := false
	return s.node.wait("the node to join", func() error {
		if status, err := s.node.health(); err == nil && (status == http.StatusOK || status == http.StatusTooManyRequests) {
			return s.forwards()
		}
		var err error
		if !given {
			err = s.put("sys/unseal", map[string]any{"key": s.node.unsealKey})
			given = err == nil
		}
		return errors.Join(err, errors.New("not unsealed yet"))
	})
}

// forwards is nil when the node answers requests, itself or through the active one. A standby that does not know yet
// which one that is answers 500.
func (s *Server) forwards() error {
	r, err := s.send(http.MethodGet, "auth/token/lookup-self", nil)
	if err == nil && r.Status != http.StatusOK {
		err = fmt.Errorf("a request answers %d: %s", r.Status, r.Raw)
	}
	return err
}

// Rejoin starts a node that was stopped or sealed, unseals it, and waits until it is active or a standby.
func (c *Cluster) Rejoin(t testing.TB, s *Server) {
	t.Helper()
	if !s.node.process.running() {
		s.Launch(t)
	}
	s.check(t, s.joinCluster())
}

// Active waits for the cluster to have an active node, and answers it.
func (c *Cluster) Active(t testing.TB) *Server {
	t.Helper()
	return c.activeOtherThan(t, nil)
}

// Standbys are the nodes that run and are not active, once they forward to the one that is.
func (c *Cluster) Standbys(t testing.TB) []*Server {
	t.Helper()
	active := c.Active(t)
	var standbys []*Server
	for _, s := range c.Nodes {
		if s != active && s.node.process.running() {
			s.check(t, s.node.wait("the standby to forward requests", s.forwards))
			standbys = append(standbys, s)
		}
	}
	return standbys
}

// StepDown makes the active node give up its place, and answers the node that took it.
func (c *Cluster) StepDown(t testing.TB) *Server {
	t.Helper()
	active := c.Active(t)
	active.check(t, active.put("sys/step-down", nil))
	return c.activeOtherThan(t, active)
}

// Failover waits until a node other than the one that was active, and has been stopped, killed or sealed, is.
func (c *Cluster) Failover(t testing.TB, was *Server) *Server {
	t.Helper()
	return c.activeOtherThan(t, was)
}

func (c *Cluster) activeOtherThan(t testing.TB, was *Server) (active *Server) {
	t.Helper()
	Eventually(t, patience, "wait for an active node", func() error {
		for _, s := range c.Nodes {
			if s == was || !s.node.process.running() {
				continue
			}
			if status, err := s.node.health(); err == nil && status == http.StatusOK {
				active = s
				return nil
			}
		}
		return errors.New("no node is active")
	})
	return active
}

// WaitVoters waits until every node that runs has a vote.
func (c *Cluster) WaitVoters(t testing.TB) {
	t.Helper()
	s := c.Active(t)
	s.check(t, eventually(2*time.Minute, "wait for all nodes to be voters", func() error {
		r, err := s.send(http.MethodGet, "sys/storage/raft/configuration", nil)
		if err != nil {
			return err
		}
		config, _ := r.Data()["config"].(map[string]any)
		peers, _ := config["servers"].([]any)
		voters := 0
		for _, peer := range peers {
			if p, _ := peer.(map[string]any); p["voter"] == true {
				voters++
			}
		}
		if voters < len(c.Nodes) {
			return fmt.Errorf("%d of %d nodes are voters", voters, len(c.Nodes))
		}
		return nil
	}))
}
